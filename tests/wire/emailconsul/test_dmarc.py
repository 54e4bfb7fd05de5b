"""DMARC domains and reports as a client of the EmailConsul API sees them."""

from __future__ import annotations

from mailvane.dmarc.model import AggregateReport
from mailvane.reputation.model import AssetKind, ObservationKind
from tests.wire.emailconsul.asking import DAY, get, post, said
from tests.wire.world import NOW, World


def test_a_domain_is_shown_with_the_counts_of_thirty_days(world: World) -> None:
    post(world, "/dmarc", {"domain": "ours.example"})
    for number, at in enumerate((NOW - DAY, NOW - 40 * DAY)):
        counts = {"messages": 10, "dmarc_fail": 3}
        said(world, ObservationKind.DMARC, (AssetKind.DMARC, "ours.example"), counts, key=str(number), at=at)
    (shown,) = get(world, "/dmarc")["data"]
    assert (shown["domain"], shown["messages"], shown["dmarc_fail"], shown["p"]) == ("ours.example", 10, 3, None)


def test_reports_and_their_rows_are_listed(world: World) -> None:
    report = AggregateReport(
        id="r1", organisation="isp.example", report_id="1", domain="ours.example", begins=NOW - 2 * DAY,
        ends=NOW - DAY, received_at=NOW, head={}, messages=5, rows=2,
    )  # fmt: skip
    rows = [
        {"source_ip": "192.0.2.1", "count": 3, "dkim_aligned": True, "spf_aligned": False},
        {"source_ip": "192.0.2.2", "count": 2, "dkim_aligned": False, "spf_aligned": False},
    ]
    world.ledger.reports.add_report(world.ours.workspace.id, report, rows)
    page = get(world, "/dmarc/reports", domain="ours.example")
    assert [(one["org_name"], one["messages"]) for one in page["data"]] == [("isp.example", 5)]
    assert [row["source_ip"] for row in get(world, "/dmarc/rows")["data"]] == ["192.0.2.1", "192.0.2.2"]
    assert [row["source_ip"] for row in get(world, "/dmarc/rows", failing="true")["data"]] == ["192.0.2.2"]
    assert get(world, "/dmarc/rows", domain="other.example")["meta"]["count"] == 0


def test_the_address_for_reports_is_told(world: World) -> None:
    assert get(world, "/dmarc/catch_up_email") == {"data": {"email": None}}
