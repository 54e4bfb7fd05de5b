"""A ledger that was lost gives its ids out again: the old mail stays the old tenants', on every pair of stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from mailvane.core.errors import AlreadyExists, InvalidInput, LedgerMismatch, NotFound
from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.maillog.ownership import Ownership
from mailvane.maillog.queries import HourlyQuestion, LogQuestion, StatisticsQuestion
from mailvane.maillog.recording import Recorder
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.maillogs import ledger_url, maillog_dsn

__all__ = ["ledger_url", "maillog_dsn"]

NOW = 1_790_000_000_000


def batch(token: str, workspace: int, relay: int = 1, days: int = 0) -> EventBatch:
    """One mail accepted and delivered, one that waits, and one opened by its reader."""
    told = [(1, EventType.ACCEPTED, 1, ""), (1, EventType.DELIVERED, -1, "ann@example.org")]
    told += [(2, EventType.ACCEPTED, 1, ""), (1, EventType.OPENED, 0, "ann@example.org")]
    events = [
        MailEvent(relay=relay, accepted_at=NOW, number=n, type=kind, at=NOW + i, waiting=waiting, recipient=recipient)
        for i, (n, kind, waiting, recipient) in enumerate(told)
    ]
    return EventBatch(token, workspace, days, events)


@pytest.fixture
def dsn(maillog_dsn: str, tmp_path: Path) -> str:
    """A mail log that nobody wrote to."""
    address = parse_address(maillog_dsn)
    if address.path is not None:
        return f"chdb://{tmp_path / 'maillog'}"
    return maillog_dsn.replace(f"/{address.database}", f"/owned_{uuid4().hex}")


@pytest.fixture
def maillog(dsn: str) -> Iterator[ClickHouseMailLog]:
    with open_maillog(dsn) as opened:
        yield opened


@contextmanager
def new_ledger(url: str) -> Iterator[Ledger]:
    """One that knows nothing, beside the one of this address."""
    path = Path(url.removeprefix("sqlite:///"))
    ledger = open_ledger(f"sqlite:///{path.parent / uuid4().hex}") if path.is_absolute() else open_ledger(emptied(url))
    yield ledger
    ledger.close()


def emptied(url: str) -> str:
    """The same database, with nothing in it."""
    ledger = open_ledger(url)
    with ledger.database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    ledger.close()
    return url


def seen(maillog: ClickHouseMailLog, workspace: int, relays: tuple[int, ...] = (1, 2)) -> tuple[int, int, int, int]:
    page = maillog.search(LogQuestion(workspace=workspace, relays=relays, limit=10))
    told = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=relays))
    hours = maillog.hourly(HourlyQuestion(workspace=workspace, relays=relays, since=NOW, until=NOW))
    return page.total, told.received, sum(row.opened_at > 0 for row in page.deliveries), len(hours)


def filled(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    """Two workspaces with a relay and mail each; the second keeps its mail for so many days."""
    recorder = Recorder(ledger.journal, Ownership(ledger.tenants, ledger.adoption, maillog))
    for number, (name, days) in enumerate((("acme", 0), ("bolt", 10_000)), 1):
        assert ledger.tenants.add_workspace(name, NOW).id == number
        ledger.tenants.add_relay(number, "", NOW)
        recorder.record(JournalEntry(batch=batch("t", number, relay=number, days=days)), NOW)
    recorder.drain()
    Ownership(ledger.tenants, ledger.adoption, maillog).check()


def test_mail_of_a_lost_ledger_is_nobodys_until_it_is_adopted(
    ledger: Ledger, ledger_url: str, maillog: ClickHouseMailLog
) -> None:
    filled(ledger, maillog)
    before = [seen(maillog, number) for number in (1, 2)]
    ledger.close()
    with new_ledger(ledger_url) as fresh:
        ownership = Ownership(fresh.tenants, fresh.adoption, maillog)
        with pytest.raises(LedgerMismatch, match=r"1 \(acme, made 2026-09-21\), 2 \(bolt, .* adopt ID.* drop ID"):
            ownership.check()
        assert fresh.tenants.add_workspace("new", NOW + 1).id == 3, "no id is given out that old mail bears"
        assert fresh.tenants.add_relay(3, "", NOW).id == 3
        with pytest.raises(AlreadyExists):
            ownership.adopt(1, "new", NOW)
        ownership.adopt(1, "", NOW)
        with pytest.raises(LedgerMismatch, match=r"know: 2 \(bolt"):
            ownership.check()
        assert ownership.adopt(2, "bolts", NOW).workspace.retention_days == 10_000
        ownership.check()
        assert [(one.id, one.name, one.created_at) for one in fresh.tenants.workspaces()][:2] == [
            (1, "acme", NOW),
            (2, "bolts", NOW),
        ]
        assert [[relay.id for relay in fresh.tenants.relays(number)] for number in (1, 2)] == [[1], [2]]
        assert [seen(maillog, number) for number in (1, 2)] == before
        with pytest.raises(NotFound):
            ownership.adopt(1, "", NOW)
        with pytest.raises(NotFound):
            ownership.drop(2)
        assert fresh.tenants.add_workspace("newer", NOW).id == 4


def test_old_mail_is_given_to_a_workspace_of_the_same_id_when_that_is_named(
    ledger: Ledger, ledger_url: str, maillog: ClickHouseMailLog
) -> None:
    filled(ledger, maillog)
    ledger.close()
    with new_ledger(ledger_url) as fresh:
        for name in ("acme", "other"):
            fresh.tenants.add_workspace(name, NOW + 1)
        fresh.tenants.add_relay(1, "", NOW)
        ownership = Ownership(fresh.tenants, fresh.adoption, maillog)
        recorder = Recorder(fresh.journal, ownership)
        recorder.record(JournalEntry(batch=batch("t2", 1)), NOW)
        recorder.drain()
        assert (recorder.backlog(), recorder.refused()) == (1, 1), "nothing is added to another's mail"
        with pytest.raises(LedgerMismatch):
            ownership.check()
        for name in ("", "bolt"):
            with pytest.raises(InvalidInput):
                ownership.adopt(2, name, NOW)
        ownership.adopt(1, "acme", NOW)
        ownership.adopt(2, "other", NOW)
        ownership.check()
        recorder.reconsider()
        recorder.drain()
        assert recorder.backlog() == 0


def test_dropped_mail_is_gone_from_every_table_and_its_batches_are_not_taken_for_known(
    ledger: Ledger, ledger_url: str, maillog: ClickHouseMailLog
) -> None:
    filled(ledger, maillog)
    kept = seen(maillog, 2)
    ledger.close()
    with new_ledger(ledger_url) as fresh:
        assert fresh.tenants.add_workspace("acme", NOW + 1).id == 1
        fresh.tenants.add_relay(1, "", NOW)
        fresh.journal.commit(JournalEntry(batch=batch("left", 2), event_ids=("a", "b", "c", "d")), NOW)
        fresh.journal.commit(JournalEntry(batch=batch("t", 1)), NOW)
        ownership = Ownership(fresh.tenants, fresh.adoption, maillog)
        assert ownership.drop(1).events == 4
        assert seen(maillog, 1) == (0, 0, 0, 0)
        assert seen(maillog, 2) == kept
        recorder = Recorder(fresh.journal, ownership)
        recorder.drain()
        assert seen(maillog, 1) == kept, "of the same log, read for the workspace that was made anew"
        ownership.drop(2)
        ownership.check()
        assert seen(maillog, 2) == (0, 0, 0, 0)
        assert fresh.journal.pending(10) == [], "what waited in the journal is dropped, too"
        assert (
            fresh.journal.commit(JournalEntry(batch=batch("left", 2), event_ids=("a", "b", "c", "d")), NOW) is not None
        )
        assert seen(maillog, 1) == kept


def test_a_mail_log_of_an_earlier_version_believes_the_ledger_beside_it(
    ledger: Ledger, ledger_url: str, maillog: ClickHouseMailLog, dsn: str
) -> None:
    for number, name in enumerate(("acme", "bolt"), 1):
        ledger.tenants.add_workspace(name, NOW + number)
        maillog.append(batch("t", number))
    Ownership(ledger.tenants, ledger.adoption, maillog).check()
    assert [(one.workspace, one.created_at) for one in maillog.owners()] == [(1, NOW + 1), (2, NOW + 2)]
    ledger.close()
    with new_ledger(ledger_url) as fresh, pytest.raises(LedgerMismatch):
        Ownership(fresh.tenants, fresh.adoption, maillog).check()


def test_mail_that_not_even_the_first_ledger_knows_is_told(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    maillog.append(batch("t", 7))
    ownership = Ownership(ledger.tenants, ledger.adoption, maillog)
    with pytest.raises(LedgerMismatch, match="know: 7;"):
        ownership.check()
    with pytest.raises(InvalidInput, match="name it"):
        ownership.adopt(7, "", NOW)
    ownership.adopt(7, "seven", NOW)
    ownership.check()
    assert ledger.tenants.add_workspace("next", NOW).id == 8


def test_two_ledgers_that_begin_on_one_mail_log_do_not_mix_their_mail(
    ledger: Ledger, tmp_path: Path, maillog: ClickHouseMailLog
) -> None:
    other = open_ledger(f"sqlite:///{tmp_path / 'other.sqlite'}")
    for number, each in enumerate((ledger, other)):
        each.tenants.add_workspace("acme", NOW + number)
        Ownership(each.tenants, each.adoption, maillog).check()
    Ownership(ledger.tenants, ledger.adoption, maillog).append(batch("one", 1))
    with pytest.raises(LedgerMismatch):
        Ownership(other.tenants, other.adoption, maillog).append(batch("two", 1))
    assert maillog.health().events == 4
    other.close()


def test_a_database_without_mail_is_anybodys(ledger: Ledger, dsn: str) -> None:
    Engine(parse_address(dsn)).close()
    with open_maillog(dsn) as maillog:
        Ownership(ledger.tenants, ledger.adoption, maillog).check()
        assert maillog.owners() == []
        assert maillog.greatest_ids() == (0, 0)
