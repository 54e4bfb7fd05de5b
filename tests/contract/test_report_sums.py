"""Rows of reports summed by domain and by sender, by SQLite and by PostgreSQL."""

from __future__ import annotations

import msgspec

from mailvane.core.tenants.service import Tenancy
from mailvane.dmarc.model import AggregateReport, RowQuestion
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
DAY = 86_400_000


def report(ident: str, organisation: str, messages: int, policy: str, domain: str = "a.example") -> AggregateReport:
    return AggregateReport(
        id=ident, organisation=organisation, report_id=ident, domain=domain, begins=NOW - DAY, ends=NOW + len(ident),
        received_at=NOW, head={"policy": {"p": policy}}, messages=messages, rows=1,
    )  # fmt: skip


def row(address: str, count: int, dkim: bool, spf: bool) -> dict[str, object]:
    done = "none" if dkim or spf else "reject"
    return {"source_ip": address, "count": count, "dkim_aligned": dkim, "spf_aligned": spf, "disposition": done}


def test_senders_are_summed_over_reports_and_the_newest_policy_is_told(ledger: Ledger) -> None:
    Tenancy(ledger.tenants, "master").create_workspace("acme", NOW)
    ledger.reports.add_report(1, report("1", "small", 5, "none"), [row("192.0.2.1", 5, True, False)])
    many = [row("192.0.2.2", 1, False, False)] * 1500
    ledger.reports.add_report(1, report("22", "large", 1510, "reject"), [*many, row("192.0.2.1", 10, True, True)])
    question = RowQuestion(workspace=1, since=NOW - DAY, until=NOW + DAY)
    found = ledger.reports.report_summary(question, 10)
    (domain,) = found.domains
    assert (domain.reports, domain.messages, domain.policy) == (2, 1515, "reject")
    assert domain.organisations == ("large", "small")
    spoof, ours = found.senders
    assert (spoof.source_ip, spoof.messages, spoof.passed, spoof.dispositions) == (
        "192.0.2.2",
        1500,
        0,
        {"reject": 1500},
    )
    assert (ours.messages, ours.dkim_aligned, ours.spf_aligned, ours.passed) == (15, 15, 10, 15)
    assert ours.organisations == ("large", "small")
    assert len(ledger.reports.report_summary(question, 1).senders) == 1
    failing = ledger.reports.report_summary(msgspec.structs.replace(question, failing_only=True), 10)
    assert [sender.source_ip for sender in failing.senders] == ["192.0.2.2"]
    assert failing.domains[0].messages == 1515
    assert ledger.reports.report_summary(msgspec.structs.replace(question, domain="b.example"), 10).senders == ()
