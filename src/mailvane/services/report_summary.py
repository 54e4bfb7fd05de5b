"""What aggregate reports say together: by domain who reported how much, by sender what passed. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mailvane.storage.reputation import AggregateReport, Reports, RowQuestion

_AT_ONCE = 1000


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """All reports of one policy domain in a stretch of time."""

    domain: str
    reports: int
    organisations: tuple[str, ...]  # those that report the most messages first
    messages: int
    policy: str  # of the newest report


class SenderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one address sent in the name of one domain."""

    domain: str
    source_ip: str
    messages: int
    dkim_aligned: int
    spf_aligned: int
    passed: int  # either is aligned
    dispositions: Mapping[str, int]
    organisations: tuple[str, ...]


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True):
    domains: tuple[DomainSummary, ...]
    senders: tuple[SenderSummary, ...]  # those of the most messages first


class _Sender:
    """Counts of one sender while rows go by."""

    def __init__(self) -> None:
        self.messages = self.dkim = self.spf = self.passed = 0
        self.dispositions: Counter[str] = Counter()
        self.organisations: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        count = int(row.get("count", 0))
        dkim, spf = row.get("dkim_aligned") is True, row.get("spf_aligned") is True
        self.messages += count
        self.dkim += count * dkim
        self.spf += count * spf
        self.passed += count * (dkim or spf)
        self.dispositions[str(row.get("disposition") or "unknown")] += count
        self.organisations[str(row.get("organisation", ""))] += count


def summary_of(reports: Reports, question: RowQuestion, most_senders: int) -> ReportSummary:
    """Of all rows that the question is about; its offset and limit do not matter."""
    known = reports.reports(question.workspace, question.since, question.until, question.domain)
    senders: dict[tuple[str, str], _Sender] = {}
    for row in _rows(reports, question):
        place = (str(row.get("domain", "")), str(row.get("source_ip", "")))
        senders.setdefault(place, _Sender()).add(row)
    ordered = sorted(senders.items(), key=lambda item: (-item[1].messages, item[0]))[:most_senders]
    return ReportSummary(
        domains=tuple(_domains(known)),
        senders=tuple(_sender(domain, address, found) for (domain, address), found in ordered),
    )


def _rows(reports: Reports, question: RowQuestion) -> Iterator[Mapping[str, Any]]:
    offset = 0
    while True:
        _, page = reports.report_rows(msgspec.structs.replace(question, offset=offset, limit=_AT_ONCE))
        yield from page
        offset += len(page)
        if len(page) < _AT_ONCE:
            return


def _domains(known: list[AggregateReport]) -> Iterator[DomainSummary]:
    """The reports come newest first."""
    by_domain: dict[str, list[AggregateReport]] = {}
    for report in known:
        by_domain.setdefault(report.domain, []).append(report)
    for domain, found in sorted(by_domain.items()):
        organisations: Counter[str] = Counter()
        for report in found:
            organisations[report.organisation] += report.messages
        yield DomainSummary(
            domain=domain,
            reports=len(found),
            organisations=tuple(name for name, _ in organisations.most_common()),
            messages=sum(report.messages for report in found),
            policy=_policy(found[0].head),
        )


def _policy(head: Mapping[str, Any]) -> str:
    published = head.get("policy")
    return str(published.get("p") or "") if isinstance(published, Mapping) else ""


def _sender(domain: str, address: str, found: _Sender) -> SenderSummary:
    return SenderSummary(
        domain=domain,
        source_ip=address,
        messages=found.messages,
        dkim_aligned=found.dkim,
        spf_aligned=found.spf,
        passed=found.passed,
        dispositions=dict(found.dispositions),
        organisations=tuple(name for name, _ in found.organisations.most_common()),
    )
