"""The native rules about what others say: a listing that ended, a new sender in DMARC reports, TLS that failed.

Each fires through a real server and its real source, is found by a backtest with the same words, and falls silent when
its time is over or its source says otherwise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest

from mailvane.core.moments import DAY_MS
from mailvane.reputation.sources.dnsbl.zones import shipped
from tests.acceptance.installation import Installation
from tests.acceptance.test_alerts import POINTS, TRUE
from tests.acceptance.warm_commands import CLOCK_BEHIND
from tests.unit.dmarc.reports import aggregate, policy, record, tls
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

ADDRESS, DOMAIN, OF_DOMAINS = "192.0.2.9", "shop.example", "dbl.spamhaus.org"
RULES: dict[str, dict[str, Any]] = {
    "MV_IP_LISTING_ENDED": {"ips": ["ALL_IPS"], "rbls": [TRUE]},
    "MV_DOMAIN_LISTING_ENDED": {"domains": ["ALL_DOMAINS"], "rbls": [OF_DOMAINS]},
    "MV_NEW_DMARC_SENDER": {"domains": ["ALL_DOMAINS"]},
    "MV_TLS_FAILURE": {"mv_tls_failure": {"value": 5, "operator": "gt", "time_range": "ONE_DAY"}},
}
OTHER = "<domain>sendgrid.net</domain><selector>s1</selector><result>pass</result>"


class Place(NamedTuple):
    """A server, a client of its workspace, and who speaks for blocklists."""

    installation: Installation
    client: httpx.Client
    names: NameServer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An address and a domain are listed; nothing has fired yet."""
    installation = Installation(tmp_path_factory.mktemp("reported"))
    _, token = installation.tenant("acme")
    zones: dict[str, Any] = {zone.host: "failing" for zone in shipped()}
    zones |= {TRUE: {**POINTS, "9.2.0.192": "127.0.0.2"}, OF_DOMAINS: {**POINTS, DOMAIN: "127.0.1.2"}}
    with NameServer(zones, {}).running() as names:
        (installation.data / "mailvane.toml").write_text(f'[reputation]\nresolvers = ["127.0.0.1:{names.port}"]\n')
        with (
            installation.serving(),
            httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client,
        ):
            yield Place(installation, client, names)


def send(place: Place, path: str, body: Any) -> Any:
    how = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = place.client.post(path, **how)
    assert answer.is_success, answer.text
    return answer.json()


def tried(place: Place, kind: str, *how: str) -> Any:
    draft = place.installation.data / "draft.json"
    draft.write_text(json.dumps({"name": kind, "rules": [{"type": kind, **RULES[kind]}]}))
    return place.installation.answer("alerts", how[0], str(draft), *how[1:])


def reports(place: Place) -> None:
    """Two weeks of one sender, then another one; a day whose sessions failed in part."""
    ended = int(time.time()) - 3600
    for number, sender in ((14, ""), (0, OTHER)):
        sent = record(results=f"<dkim>{sender}</dkim><spf></spf>") if sender else record()
        span = (ended - (number + 1) * 86_400, ended - number * 86_400)
        report = aggregate(sent, report_id=f"r{number}", domain=DOMAIN, span=span)
        send(place, "/mailvane/v1/sources/dmarc/import", report)
    stamps = {
        f"{name}-datetime": datetime.fromtimestamp(at, UTC).isoformat()
        for name, at in (("start", ended - 86_399), ("end", ended))
    }
    send(place, "/mailvane/v1/sources/dmarc/import", tls(policy(DOMAIN, 10, [7]), **{"date-range": stamps}))


def test_each_fires_by_its_source_as_a_backtest_says_and_falls_silent(place: Place) -> None:
    installation, names = place.installation, place.names
    made = {
        kind: send(place, "/api/v1.0/alerts", {"name": kind, "rules": [{"type": kind, **rule}]})["id"]
        for kind, rule in RULES.items()
    }
    for path, body in {"ips": {"ip": ADDRESS}, "domains": {"domain": DOMAIN}, "dmarc": {"domain": DOMAIN}}.items():
        send(place, f"/api/v1.0/{path}", body)

    def open_listings() -> int:
        board = place.client.get("/mailvane/v1/reputation/board").json()
        return sum(cell["state"] == "bad" for row in board for cell in row["blocklists"].values())

    installation.wait_for(lambda: open_listings() == 2)
    names.zones[TRUE], names.zones[OF_DOMAINS] = POINTS, POINTS
    send(place, "/mailvane/v1/sources/blocklists/run", {})
    reports(place)

    def entries(kind: str) -> Any:
        return place.client.get(f"/api/v1.0/alerts/{made[kind]}/log").json()["data"]

    found = {kind: installation.wait_for(partial(entries, kind)) for kind in RULES}
    told = {kind: [one["rules"][0]["matchings"]["items"] for one in each] for kind, each in found.items()}
    ((ip,),), ((domain,),) = told["MV_IP_LISTING_ENDED"], told["MV_DOMAIN_LISTING_ENDED"]
    assert (ip["ip"], ip["rbl"], domain["domain"], domain["rbl"]) == (ADDRESS, TRUE, DOMAIN, OF_DOMAINS)
    assert told["MV_NEW_DMARC_SENDER"] == [[{"domain": DOMAIN, "service": "Twilio SendGrid"}]]
    assert told["MV_TLS_FAILURE"] == [[{"domain": DOMAIN, "time_range": "ONE_DAY", "value": 7}]]
    for kind in RULES:
        firings = tried(place, kind, "backtest", "--days", "2")["firings"]
        assert [each["rules"][0]["matchings"]["items"] for each in firings] == told[kind], kind
        assert tried(place, kind, "test")["fired"], kind

    installation.environment[CLOCK_BEHIND] = str(-2 * DAY_MS * 1_000_000)
    assert [kind for kind in RULES if tried(place, kind, "test")["fired"]] == []
    del installation.environment[CLOCK_BEHIND]
    names.zones[TRUE] = {**POINTS, "9.2.0.192": "127.0.0.2"}
    send(place, "/mailvane/v1/sources/blocklists/run", {})
    installation.wait_for(lambda: not tried(place, "MV_IP_LISTING_ENDED", "test")["fired"])
    assert tried(place, "MV_DOMAIN_LISTING_ENDED", "test")["fired"], "that one is not listed again"
