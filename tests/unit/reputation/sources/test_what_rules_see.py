"""What collectors tell is what rules read: each rule over outside sources fires by a file that came from one."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.view import View, Watched
from mailvane.reputation.model import Asset, AssetKind, Refresh
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources import honeytokens, lookalikes, postmaster, snds, traps

NOW = 1_795_262_400_000  # 2026-11-21T12:00Z
STALE_MS = 48 * 3_600_000
SETTINGS = ReputationSettings(resolvers=("127.0.0.1:9",))
TRAFFIC = {
    "name": "domains/shop.example/trafficStats/20261119",
    "userReportedSpamRatio": 0.004,
    "spfSuccessRatio": 0.5,
    "dkimSuccessRatio": 0.5,
    "dmarcSuccessRatio": 0.5,
    "inboundEncryptionRatio": 0.5,
    "outboundEncryptionRatio": 0.5,
    "domainReputation": "BAD",
    "ipReputations": [{"reputation": "LOW", "ipCount": "1", "sampleIps": ["192.0.2.7"]}],
    "deliveryErrors": [{"errorClass": "PERMANENT_ERROR", "errorType": "IP_IN_RBL", "errorRatio": 0.2}],
}
PERIOD = "192.0.2.7,11/19/2026 1:00 AM,11/19/2026 9:00 PM,100,100,90,RED,0.5%,,,3"
LOOKALIKE = {
    "domain": "shop.example",
    "lookalike": "shoop.example",
    "reg_created_date": "2026-11-21T00:00:00Z",
    "reg_updated_date": "2026-11-21T01:00:00Z",
}
TRAP = {"ip": "192.0.2.7", "domain_from": "shop.example", "timestamp": NOW - 1000}
TOKEN = {"from_email": "a@spam.example", "to_email": "t@us.example", "timestamp": NOW - 1000}

ASSETS = [
    Asset(id=str(place), workspace=1, kind=kind, name=name, created_at=0)
    for place, (kind, name) in enumerate(
        [
            (AssetKind.GP_DOMAIN, "shop.example"),
            (AssetKind.SNDS, "main"),
            (AssetKind.LOOKALIKE, "shop.example"),
            (AssetKind.TRAP, "192.0.2.7"),
            (AssetKind.HONEYTOKEN, "t@us.example"),
        ]
    )
]


def told() -> Iterable[Refresh]:
    yield from postmaster.COLLECTOR(SETTINGS).read(_file(TRAFFIC), "google", NOW)
    yield from snds.COLLECTOR(SETTINGS).read(io.BytesIO(PERIOD.encode()), "snds", NOW)
    yield from lookalikes.COLLECTOR(SETTINGS).read(_file(LOOKALIKE), "lookalikes", NOW)
    yield from traps.of_watched(traps.COLLECTOR(SETTINGS).read(_file(TRAP), "traps", NOW), ASSETS, NOW)
    yield from honeytokens.of_watched(honeytokens.COLLECTOR(SETTINGS).read(_file(TOKEN), "tokens", NOW), ASSETS, NOW)


def _file(line: Any) -> io.BytesIO:
    return io.BytesIO(msgspec.json.encode(line))


def _ratio(name: str, operator: str, value: float, **more: Any) -> dict[str, Any]:
    return {"type": name, name.lower(): {"value": value, "operator": operator, **more}}


RULES = [
    {"type": "GP_DOMAIN_REPUTATION", "gp_domains": ["ALL_GP_DOMAINS"], "gp_domain_reputations": ["BAD"]},
    {"type": "GP_IP_REPUTATION", "gp_ips": ["192.0.2.7"], "gp_ip_reputations": ["LOW"]},
    _ratio("GP_USER_REPORTED_SPAM_RATIO", "gt", 0.003),
    _ratio("GP_SPF_SUCCESS_RATIO", "lt", 0.9),
    _ratio("GP_DKIM_SUCCESS_RATIO", "lt", 0.9),
    _ratio("GP_DMARC_SUCCESS_RATIO", "lt", 0.9),
    _ratio("GP_INBOUND_ENCRYPTION_RATIO", "lt", 0.9),
    _ratio("GP_OUTBOUND_ENCRYPTION_RATIO", "lt", 0.9),
    _ratio("GP_DELIVERY_ERROR_RATIO", "gte", 0.2),
    {"type": "SNDS_FILTER_RESULT", "snds_ips": ["ALL_SNDS_IPS"], "snds_filter_result": ["RED"]},
    _ratio("SNDS_BOUNCE_RATE", "gte", 10),
    _ratio("SNDS_COMPLAINT_RATE", "gt", 0.3),
    _ratio("SNDS_TRAP_HITS", "eq", 3),
    {"type": "LOOKALIKE_REG_CREATED_DATE", "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"}},
    {"type": "LOOKALIKE_REG_UPDATED_DATE", "lookalike_reg_updated_date": {"value": "ONE_DAY", "operator": "lt"}},
    {"type": "TRAPS_IP", "traps_ips": ["ALL_TRAPS_IPS"]},
    _ratio("HONEYTOKEN_DOMAIN_COUNT_PER_PERIOD", "gte", 1, time_range="ONE_DAY"),
]


@pytest.fixture(scope="module")
def view() -> View:
    observations = [observation for refresh in told() for observation in refresh.observations]
    return View(observations, Watched(ASSETS), NOW, STALE_MS)


@pytest.mark.parametrize("rule", RULES, ids=[str(rule["type"]) for rule in RULES])
def test_a_rule_fires_by_what_its_collector_read(view: View, rule: dict[str, Any]) -> None:
    assert len(list(read_rule(rule, "rules[0]").matches(view, None))) == 1


def test_a_domain_that_traps_caught_is_found_by_its_rule() -> None:
    watched = [Asset(id="1", workspace=1, kind=AssetKind.TRAP, name="shop.example", created_at=0)]
    kept = traps.of_watched(traps.COLLECTOR(SETTINGS).read(_file(TRAP), "traps", NOW), watched, NOW)
    view = View([one for refresh in kept for one in refresh.observations], Watched(watched), NOW, STALE_MS)
    rule = read_rule({"type": "TRAPS_DOMAIN_FROM", "traps_domains_from": ["ALL_TRAPS_DOMAINS"]}, "rules[0]")
    assert [match.item for match in rule.matches(view, None)] == [{"traps_domain_from": "shop.example", "value": 1}]
