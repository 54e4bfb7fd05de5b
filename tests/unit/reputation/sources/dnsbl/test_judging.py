"""What is left of answers when the probes on both sides of them are known."""

from __future__ import annotations

import pytest

from mailvane.reputation.blocklists import Findings, Outcome, Verdict
from mailvane.reputation.model import AssetKind, ZoneHealth
from mailvane.reputation.sources.dnsbl.judging import Judge

L, C, U = Outcome.LISTED, Outcome.CLEAR, Outcome.UNKNOWN
PROVEN = ZoneHealth(host="a", usable=True, proven=("ips",))
WITHOUT_POINT = ZoneHealth(host="a", usable=True, reason="no point")
OTHER_LIST = ZoneHealth(host="a", usable=True, reason="no point", proven=("domains",))
UNUSABLE = ZoneHealth(host="a", usable=False, reason="lists everything")


@pytest.mark.parametrize(
    ("health", "said", "believed"),
    [
        (PROVEN, L, L), (PROVEN, C, C), (PROVEN, U, U),
        (WITHOUT_POINT, L, L), (WITHOUT_POINT, C, U), (WITHOUT_POINT, U, U),
        (OTHER_LIST, L, L), (OTHER_LIST, C, U),
        (UNUSABLE, L, U), (UNUSABLE, C, U), (UNUSABLE, U, U),
    ],
)  # fmt: skip
def test_silence_needs_a_test_point_and_a_listing_a_zone_that_can_be_used(
    health: ZoneHealth, said: Outcome, believed: Outcome
) -> None:
    told = Findings(kind=AssetKind.IP, name="192.0.2.1", verdicts=(Verdict(zone="a", outcome=said),))
    found = Judge({"a": health}).believed(told)
    assert (found.outcome, found.verdicts[0].outcome) == (believed, believed)
    if said is not believed:
        assert found.verdicts[0].reason == health.reason


def test_what_dns_says_besides_is_kept_where_the_resolver_found_a_test_point() -> None:
    told = Findings(kind=AssetKind.IP, name="2001:db8::1", verdicts=(), details={"wrong_rdns": True})
    assert Judge({"a": PROVEN}).believed(told).details == {"wrong_rdns": True}
    assert Judge({"a": WITHOUT_POINT}).believed(told).details == {}
