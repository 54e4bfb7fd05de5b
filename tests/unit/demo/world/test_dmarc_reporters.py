"""Reports of the simulated providers, as the collector's reader understands them."""

from __future__ import annotations

import io

from mailvane.dmarc.intake import Aggregate
from mailvane.dmarc.readers.reading import read_reports
from mailvane_demo.world.dmarc_reporters import SPOOFED_MESSAGES, Report, Reporters

DAY = 86_400_000
TODAY = 1_790_000_000_000 // DAY * DAY
DOMAINS = ("shop.example", "news.example")
REPORTERS = Reporters(7, DOMAINS, ("192.0.2.25", "192.0.2.26"))


def read(report: Report) -> Aggregate:
    (found,) = read_reports(io.BytesIO(report.body), report.name)
    assert isinstance(found, Aggregate)
    assert found.remarks == ()
    return found


def test_every_provider_reports_on_every_domain_each_day() -> None:
    found = [read(report) for report in REPORTERS.of_day(TODAY - DAY)]
    assert len({(each.organisation, each.domain) for each in found}) == len(found) == 6
    for each in found:
        assert (each.begins, each.ends) == (TODAY - DAY, TODAY - 1000)
        assert each.counts.messages > 50
        assert each.counts.dmarc_fail < 10


def test_the_late_report_tells_of_spoofed_mail() -> None:
    spoofed, usual = (read(report) for report in REPORTERS.late(TODAY - DAY))
    assert SPOOFED_MESSAGES <= spoofed.counts.dmarc_fail < SPOOFED_MESSAGES + 10
    assert (spoofed.domain, usual.domain) == DOMAINS
    assert usual.counts.dmarc_fail < 10


def test_punctual_and_late_ones_are_all_of_the_day() -> None:
    names = {report.name for report in (*REPORTERS.punctual(TODAY), *REPORTERS.late(TODAY))}
    assert names == {report.name for report in REPORTERS.of_day(TODAY)}


def test_the_same_seed_writes_the_same_bytes() -> None:
    other = Reporters(8, DOMAINS, ("192.0.2.25", "192.0.2.26"))
    assert list(REPORTERS.of_day(TODAY)) == list(REPORTERS.of_day(TODAY))
    assert list(REPORTERS.of_day(TODAY)) != list(other.of_day(TODAY))
