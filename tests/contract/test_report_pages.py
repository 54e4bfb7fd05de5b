"""TLS and abuse reports as pages with sums, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
import pytest

from mailvane.core.identifiers import new_id
from mailvane.dmarc.model import AbuseDomain, AggregateReport, ReportQuestion, TlsDomain
from mailvane.dmarc.readers.aggregate import MOST_IDENTITY
from mailvane.reputation.model import Observation, ObservationKind
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


@pytest.fixture
def two(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("two", NOW).id


def said(kind: ObservationKind, asset: str, key: str, at: int, data: Mapping[str, Any]) -> Observation:
    return Observation(kind=kind, asset=asset, key=key, at=at, seen_at=NOW, data=data)


def tls(asset: str, key: str, at: int, succeeded: int, failed: int) -> Observation:
    # A name with the words that the sums are made by: they must be read out of the JSON, not sought in its text.
    data = {"succeeded": succeeded, "failed": failed, "organisation": '","failed":7,"x":"', "failures": []}
    return said(ObservationKind.TLS, asset, key, at, data)


def arf(asset: str, key: str, at: int, feedback_type: str) -> Observation:
    return said(ObservationKind.FAILURE, asset, key, at, {"feedback_type": feedback_type})


def test_tls_reports_are_paged_and_summed_by_the_store(ledger: Ledger, one: int, two: int) -> None:
    told = [
        tls("a.example", "r1", NOW, 10, 0),
        tls("a.example", "r2", NOW + 1, 5, 2),
        tls("b.example", "r1", NOW + 2, 10**12, 3 * 10**9),
        tls("a.example", "old", NOW - HOUR, 1, 1),
    ]
    ledger.observations.observe(one, told)
    ledger.observations.observe(two, [tls("a.example", "r9", NOW, 1, 99)])
    ask = partial(ReportQuestion, workspace=one, since=NOW, until=NOW + HOUR)
    found = ledger.reports.tls_reports(ask())
    assert found.total == 3
    assert found.domains == [
        TlsDomain(domain="b.example", reports=1, succeeded=10**12, failed=3 * 10**9),
        TlsDomain(domain="a.example", reports=2, succeeded=15, failed=2),
    ]
    assert [each.key for each in found.reports] == ["r1", "r2", "r1"]
    page = ledger.reports.tls_reports(ask(offset=1, limit=1))
    assert (page.total, page.domains, page.reports) == (3, found.domains, found.reports[1:2])
    failing = ledger.reports.tls_reports(ask(failing_only=True))
    assert [(each.asset, each.key) for each in failing.reports] == [("b.example", "r1"), ("a.example", "r2")]
    assert ledger.reports.tls_reports(ask(domain="a.example", failing_only=True)).total == 1
    nothing = ledger.reports.tls_reports(ask(domain="c.example"))
    assert (nothing.total, nothing.domains, nothing.reports) == (0, [], [])


def test_abuse_reports_are_paged_and_counted_by_type(ledger: Ledger, one: int, two: int) -> None:
    told = [
        arf("a.example", "1", NOW, "abuse"),
        arf("a.example", "2", NOW + 1, "abuse"),
        arf("a.example", "3", NOW + 2, "auth-failure"),
        arf("b.example", "4", NOW + 3, 'odd "type"'),
    ]
    ledger.observations.observe(one, told)
    ledger.observations.observe(two, [arf("a.example", "5", NOW, "abuse")])
    ask = partial(ReportQuestion, workspace=one, since=0, until=NOW + HOUR)
    found = ledger.reports.abuse_reports(ask())
    assert found.total == 4
    assert found.domains[0] == AbuseDomain(domain="a.example", feedback_type="abuse", reports=2)
    assert [each.key for each in found.reports] == ["4", "3", "2", "1"]
    assert [each.key for each in ledger.reports.abuse_reports(ask(feedback_type="abuse", limit=1)).reports] == ["2"]
    assert ledger.reports.abuse_reports(ask(feedback_type='odd "type"')).total == 1
    assert ledger.reports.abuse_reports(ask(domain="b.example")).domains == [
        AbuseDomain(domain="b.example", feedback_type='odd "type"', reports=1)
    ]


def test_the_longest_identity_that_is_taken_can_be_stored(ledger: Ledger, one: int) -> None:
    # Of random bytes, so that no index makes them shorter.
    organisation, report_id = (random.Random(seed).randbytes(500).hex() for seed in (1, 2))
    domain = ".".join([random.Random(3).randbytes(31).hex()] * 4)[:253]
    assert len(organisation) == len(report_id) == MOST_IDENTITY
    ledger.observations.observe(one, [tls(domain, f"{organisation}/{report_id}", NOW, 1, 0)])
    told = AggregateReport(
        id=new_id(), organisation=organisation, report_id=report_id, domain=domain, begins=NOW, ends=NOW,
        received_at=NOW, head={}, messages=0, rows=0,
    )  # fmt: skip
    assert ledger.reports.add_report(one, told, [])
    assert ledger.reports.reports(one, 0, NOW + 1) == [told]
    assert ledger.reports.same_report(one, told) == told


def test_an_aggregate_report_is_known_by_its_time_range_too(ledger: Ledger, one: int, two: int) -> None:
    told = AggregateReport(
        id=new_id(), organisation="o", report_id="r", domain="a.example", begins=NOW, ends=NOW + 1, received_at=NOW,
        head={}, messages=7, rows=0,
    )  # fmt: skip
    assert ledger.reports.add_report(one, told, [])
    assert not ledger.reports.add_report(one, msgspec.structs.replace(told, id=new_id()), [])
    for changes in ({"begins": NOW - 1}, {"ends": NOW + 2}, {"report_id": "s"}, {"domain": "b.example"}):
        other = msgspec.structs.replace(told, id=new_id(), **changes)
        assert ledger.reports.same_report(one, other) is None
        assert ledger.reports.add_report(one, other, [])
    assert ledger.reports.same_report(one, msgspec.structs.replace(told, id=new_id(), messages=0)) == told
    assert ledger.reports.same_report(two, told) is None


def test_what_is_kept_is_known_by_its_identity(ledger: Ledger, one: int, two: int) -> None:
    ledger.observations.observe(one, [tls("a.example", "r\0 1", NOW, 1, 0)])
    known = partial(ledger.observations.is_observed, one, ObservationKind.TLS)
    assert known("a.example", "r\0 1", NOW)
    assert known("a.example", "r\0 1")
    assert not known("a.example", "r\0 1", NOW + 1)
    assert not known("a.example", "r2")
    assert not known("b.example", "r\0 1")
    assert not ledger.observations.is_observed(one, ObservationKind.FAILURE, "a.example", "r\0 1")
    assert not ledger.observations.is_observed(two, ObservationKind.TLS, "a.example", "r\0 1")
