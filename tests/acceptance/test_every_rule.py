"""Every rule type, from the vendor's example over its own source to a signed webhook, the log and the statistics.

All through a real server: blocklists and registries are asked by DNS and RDAP, Google and Microsoft by HTTP; reports,
feeds and the history of Google's first interface come as files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from mailvane.reputation.sources.dnsbl.zones import shipped
from mailvane.server.settings import load, master_token
from tests.acceptance.installation import Installation
from tests.unit.notify.receiver import Receiver
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.unit.reputation.sources.lookalikes.registry_server import Registry, document
from tests.unit.reputation.sources.postmaster.google_server import Google, service_account
from tests.unit.reputation.sources.vendor_server import Asked, Said, VendorServer
from tests.waiting import PATIENCE
from tests.wire.emailconsul.examples import EXAMPLES

NOW = datetime.now(UTC)
KEY = "0b7c6a1e-1111-2222-3333-44445555abcd"
POINTS = {**TEST_POINTS, "2.0.0.0.7.f.0.0.f.f.f.f." + "0." * 19 + "0": "127.0.0.2", "invalid": ""}
ZONES: dict[str, Any] = {
    **{zone.host: "failing" for zone in shipped()},
    "hostname.one": {"2.0.0.127": "127.0.0.2", "1.1.1.1": "127.0.0.2"},
    "dbl.spamhaus.org": {"test": "127.0.1.2", "one.com": "127.0.1.2"},
}
RECORDS = {("ba.example", "NS"): "ns1.host.example."}
GOOGLE = {
    "SPAM_RATE": 0.3,
    **{f'AUTH_SUCCESS_RATE auth_type = "{each}"': 0.9 for each in ("spf", "dkim", "dmarc")},
    **{f'TLS_ENCRYPTION_RATE traffic_direction = "{each}"': 0.9 for each in ("inbound", "outbound")},
    'DELIVERY_ERROR_RATE error_type = "reject" AND error_reason = "ip_in_rbls"': 0.4,
}
REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>isp.example</org_name><email>a@isp.example</email>
<report_id>1</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>one.com</domain><p>none</p><pct>100</pct></policy_published>
<record><row><source_ip>192.0.2.66</source_ip><count>7</count><policy_evaluated><disposition>none</disposition>
<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>one.com</header_from></identifiers>
<auth_results><dkim><domain>one.com</domain><result>fail</result></dkim><spf><domain>one.com</domain>
<result>softfail</result></spf></auth_results></record></feedback>"""


def microsoft(asked: Asked) -> Said:
    if asked.path.endswith("ipStatus.aspx"):
        return Said("")
    month, day, year = (asked.query["date"][place : place + 2] for place in (0, 2, 4))
    start, end = (f"{int(month)}/{int(day)}/20{year} {hour}" for hour in ("1:00 AM", "9:00 PM"))
    return Said(f"1.1.1.1,{start},{end},100,100,40,RED,60%,{start},{end},3,mx.one.com,a@one.com,\r\n")


def google() -> Google:
    days: dict[tuple[str, str, str], Any] = {}
    for back in range(5):
        day = (NOW - timedelta(days=back)).strftime("%Y-%m-%d")
        days |= {("one.com", metric, day): {"doubleValue": value} for metric, value in GOOGLE.items()}
    return Google(days)


def registry() -> Registry:
    created, updated = ((NOW - timedelta(hours=hours)).isoformat() for hours in (5, 1))
    return Registry({"ba.example": document("ba.example", created, updated)})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Receiver]]:
    """A server whose every source is on this machine, and a receiver of webhooks."""
    installation = Installation(tmp_path_factory.mktemp("rules"))
    outside, names, told, receiver = google(), NameServer(ZONES, RECORDS), registry(), Receiver()
    snds = VendorServer(microsoft)
    with ExitStack() as running:
        for server in (outside.server, names, told.server, receiver, snds):
            running.enter_context(server.running())
        credentials = service_account(outside.server.url, installation.data / "google.json")
        (installation.data / "mailvane.toml").write_text(
            f'[reputation]\nresolvers = ["127.0.0.1:{names.port}"]\nallowed_targets = ["127.0.0.1"]\n'
            f'postmaster_url = "{outside.server.url}"\npostmaster_credentials = "{credentials}"\n'
            f'snds_url = "{snds.url}/snds"\nrdap_bootstrap = "{told.bootstrap}"\n'
        )
        running.enter_context(installation.serving())
        yield installation, receiver


@pytest.fixture(scope="module")
def alerts(place: tuple[Installation, Receiver]) -> dict[str, Any]:
    """Each example as an alert, by its type, and everything that it needs to fire."""
    installation, receiver = place
    _, token = installation.tenant("acme")
    master = master_token(load({"data": str(installation.data)}, {}))
    ours = {"X-API-KEY": token}
    operator = {"X-API-KEY": master, "X-Workspace-Id": "1"}
    client = httpx.Client(base_url=installation.url, timeout=PATIENCE)

    def send(path: str, body: Any, headers: dict[str, str] = ours, method: str = "POST") -> Any:
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    made = {}
    for rule in EXAMPLES:
        body = {"name": rule["type"], "rules": [rule], "webhook_url": receiver.url}
        made[str(rule["type"])] = send("/api/v1.0/alerts", body)["id"]
    zone = {"lists": ["ips"], "high_reputation": False}
    send("/mailvane/v1/blocklists/hostname.one", zone, operator, "PUT")
    send("/api/v1.0/traps", {"ip": "1.1.1.1", "domain": "one.com"}, operator)
    watched: dict[str, Any] = {
        "/ips": {"ips": ["1.1.1.1", "123.123.123.123"]},
        "/domains": {"domain": "one.com"},
        "/gpdomains": {"domains": ["one.com", "past.example"]},
        "/snds/creds": {"key": KEY},
        "/lookalike": {"domain": "ab.example"},
        "/dmarc": {"domain": "one.com"},
        "/honeytoken": {"email": "token@one.com"},
    }
    for path, body in watched.items():
        send(f"/api/v1.0{path}", body)
    for source, text in files().items():
        answer = client.post(f"/mailvane/v1/sources/{source}/import", content=text, headers=ours)
        assert answer.is_success, answer.text
    client.close()
    return {"token": token, "ids": made}


def files() -> dict[str, str]:
    now = int(time.time() * 1000)
    trap = {"ip": "1.1.1.1", "domain_from": "one.com", "data_colorcode": "black", "timestamp": now}
    leak = {"from_email": "a@spam.example", "to_email": "token@one.com", "timestamp": now}
    past = {
        "name": f"domains/past.example/trafficStats/{NOW - timedelta(days=2):%Y%m%d}",
        "domainReputation": "BAD",
        "ipReputations": [{"reputation": "LOW", "ipCount": "1", "sampleIps": ["1.1.1.1"]}],
    }
    end = int(now / 1000) - 3600
    return {
        "traps": "\n".join(json.dumps(trap | {"domain_from": domain}) for domain in ("one.com", "two.com")),
        "honeytokens": "\n".join(json.dumps(leak | {"id": str(number)}) for number in range(3)),
        "postmaster": json.dumps(past),
        "dmarc": REPORT.format(begin=end - 86_399, end=end),
    }


def test_there_is_an_example_of_every_type() -> None:
    assert len({rule["type"] for rule in EXAMPLES}) == len(EXAMPLES) == 25


@pytest.mark.parametrize("rule_type", [str(rule["type"]) for rule in EXAMPLES])
def test_it_fires_is_told_signed_logged_and_counted(
    place: tuple[Installation, Receiver], alerts: dict[str, Any], rule_type: str
) -> None:
    installation, receiver = place
    ident, token = alerts["ids"][rule_type], alerts["token"]

    def told() -> Any:
        return [one for one in receiver.received if json.loads(one.body)["user_alert_id"] == ident]

    message = installation.wait_for(told)[0]
    secrets = installation.get("/mailvane/v1/signing-secrets", token)
    body = Webhook(secrets[0]["secret"]).verify(message.body, message.headers)
    (fired,) = body["rules"]
    assert (fired["type"], body["name"]) == (rule_type, rule_type)
    assert fired["snapshot"]["data"]
    assert fired["matching"]["count"] >= 1

    (entry,) = installation.get(f"/api/v1.0/alerts/{ident}/log", token)["data"]
    assert entry["id"] == body["id"]
    assert entry["rules"][0]["matchings"] == fired["matching"]
    now = datetime.now(UTC)
    span = {"period_from": (now - timedelta(days=2)).isoformat(), "period_to": (now + timedelta(days=1)).isoformat()}
    path = f"/api/v1.0/alerts/stats/{{}}/{ident}/{rule_type}"
    rows = installation.get(path.format("aggregated"), token, **span)["data"]
    assert sum(row["count"] for row in rows) == fired["matching"]["count"]
    days = installation.get(path.format("timeseries"), token, **span)["data"]
    assert sum(day["count"] for day in days) == 1
