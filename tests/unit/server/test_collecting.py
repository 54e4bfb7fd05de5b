"""What strangers send to the address of reports: refused once, counted, and no report waits for it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.dmarc import mailbox
from mailvane.dmarc.collector import DmarcReports
from mailvane.dmarc.settings import DmarcSettings, ImapMailbox, ReportDirectory
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import ObservationKind, Source, SourceHealth
from mailvane.server.alerting import MonitoringSettings
from mailvane.server.collecting import Collecting
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.unit.dmarc.imap_server import ImapServer
from tests.unit.dmarc.readers.test_containers import zipped
from tests.unit.dmarc.readers.test_mails import HOSTILE
from tests.unit.dmarc.reports import aggregate, complaint, mail_with

NOW = 1_790_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger" / "ledger.sqlite")
    opened.tenants.add_workspace("one", NOW)
    yield opened
    opened.close()


def collector_of(ledger: Ledger, settings: DmarcSettings) -> DmarcReports:
    return Collecting(
        MonitoringSettings(dmarc=settings), ledger, WatchedAssets(ledger.assets, ledger.observations)
    ).reports


def fetch(collector: DmarcReports) -> int:
    return asyncio.run(collector.fetch(NOW))


def kept(ledger: Ledger) -> list[str]:
    return sorted(one.key for one in ledger.observations.latest(1, [ObservationKind.DMARC]))


def health(ledger: Ledger) -> SourceHealth:
    return next(one for one in ledger.observations.health(1) if one.source is Source.DMARC)


def report(number: int) -> bytes:
    return mail_with(("text/xml", "r.xml", aggregate(report_id=f"r{number}")))


def test_hostile_mail_is_refused_once_and_the_newest_report_does_not_wait(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "MOST_MESSAGES", 10)
    hostile = [make(3000) for make, _ in HOSTILE.values()]
    hostile.append(complaint("Feedback-Type: abuse", "From: " + "(" * 2000 + "a@shop.example"))
    with ImapServer(report(1), *hostile, report(2), password="").running() as server:
        place = ImapMailbox(host="127.0.0.1", port=server.port, security="none", workspace="one")
        collector = collector_of(ledger, DmarcSettings(reports_mailbox=place))
        assert fetch(collector) == 10
        assert kept(ledger) == ["Mail Receiver/r2"]
        while fetch(collector):
            pass
        told = health(ledger)
        assert server.seen == set(server.messages)
        assert fetch(collector) == 0
    assert kept(ledger) == ["Mail Receiver/r1", "Mail Receiver/r2"]
    assert told == health(ledger)
    assert told.refused == len(server.flagged) > 10
    assert "Traceback" not in caplog.text
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_a_file_with_a_report_that_cannot_be_read_is_read_and_moved(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("bad", b"<html>"), ("r.xml", aggregate(report_id="r1"))))
    (tmp_path / "b.xml").write_bytes(b"<feedback>")
    (tmp_path / "c.xml").write_bytes(aggregate(report_id="r2"))
    for path in tmp_path.glob("?.*"):
        os.utime(path, (0, 0))
    settings = DmarcSettings(reports_directory=ReportDirectory(path=str(tmp_path), workspace="one"))
    collector = collector_of(ledger, settings)
    assert [fetch(collector), fetch(collector)] == [3, 0]
    assert kept(ledger) == ["Mail Receiver/r1", "Mail Receiver/r2"]
    told = health(ledger)
    assert (told.refused, told.refused_at) == (2, NOW)
    assert told.refusals[1] == "a.zip: bad: an HTML page, not a report"
    assert {each.name for each in (tmp_path / "done").iterdir()} == {"a.zip", "a.zip.reason", "c.xml"}
    assert {each.name for each in (tmp_path / "refused").iterdir()} == {"b.xml", "b.xml.reason"}


def test_reports_wait_for_a_workspace_that_is_not_there_yet(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_bytes(aggregate())
    os.utime(tmp_path / "c.xml", (0, 0))
    settings = DmarcSettings(reports_directory=ReportDirectory(path=str(tmp_path), workspace="later"))
    collector = collector_of(ledger, settings)
    with pytest.raises(Exception, match="there is no workspace later"):
        fetch(collector)
    ledger.tenants.add_workspace("later", NOW)
    assert fetch(collector) == 1
