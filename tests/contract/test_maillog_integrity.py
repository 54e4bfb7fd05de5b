"""A mail log that lost something says so, on every engine; and none that did not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import StoreDamaged
from mailvane.maillog.backup import LockedMailLog
from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.integrity import Integrity, made_anew
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.recording import Recorder
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.maillogs import ledger_url, maillog_dsn
from tests.contract.test_ownership import dsn
from tests.ledgers import fresh_ledger

__all__ = ["dsn", "ledger_url", "maillog_dsn"]

NOW = 1_790_000_000_000
DAY = 86_400_000


def batch(token: str, mails: int = 40, at: int = NOW, days: int = 0) -> EventBatch:
    """Mails that are accepted, deferred and delivered, over two months and few weeks; the last one waits."""
    events = []
    for n in range(mails):
        when = at + n * DAY // 4
        describe_losses = [
            (EventType.ACCEPTED, 1, ""),
            (EventType.DEFERRED, -1, "a@b.example"),
            (EventType.DELIVERED, 0, "a@b.example"),
        ]
        events += [
            MailEvent(relay=1, accepted_at=when, number=n, type=kind, at=when + i, waiting=waiting, recipient=recipient)
            for i, (kind, waiting, recipient) in enumerate(describe_losses if n + 1 < mails else describe_losses[:1])
        ]
    return EventBatch(token, 1, days, events)


class Watched:
    """A mail log of which a record is kept."""

    def __init__(self, ledger: Ledger, maillog: ClickHouseMailLog) -> None:
        self.ledger = ledger
        self.maillog = maillog
        self.clock = NOW
        self.integrity = self.looking()
        self.attended = LockedMailLog(
            maillog, Recorder(ledger.journal, maillog), ledger.copies, integrity=self.integrity
        )

    def looking(self, alone: bool = False) -> Integrity:
        return Integrity(self.ledger.maillog_record, self.maillog, lambda: self.clock, alone=alone)

    def damage(self, alone: bool = False) -> str:
        """As a process finds it that is started now."""
        found = self.looking(alone)
        found.look()
        return found.damage

    def each(self, statement: str) -> None:
        for engine in self.maillog._engines:
            engine.command(statement)


@pytest.fixture
def watched(ledger: Ledger, dsn: str) -> Iterator[Watched]:
    with open_maillog(dsn) as maillog:
        found = Watched(ledger, maillog)
        for n in range(3):
            maillog.append(batch(f"t{n}"))
        found.integrity.look()
        yield found


def test_what_grows_merges_expires_or_is_mended_is_not_missed(watched: Watched, ledger: Ledger) -> None:
    maillog = watched.maillog
    for n in range(3):
        maillog.append(batch(f"later {n}", mails=5, days=10_000))
        assert watched.damage() == ""
    for table in ("events", "deliveries", "mails", "hourly", "waiting"):
        watched.each(f"OPTIMIZE TABLE {table} FINAL")
        assert watched.damage() == ""
    watched.attended.rebuild()
    assert watched.damage() == ""
    watched.attended.retain(1, 10_000)
    assert watched.damage() == ""
    watched.attended.retain(1, 1)
    watched.clock = NOW + 400 * DAY
    watched.each("ALTER TABLE events MATERIALIZE TTL SETTINGS mutations_sync = 2")
    watched.each("OPTIMIZE TABLE events FINAL")
    assert watched.damage() == ""
    assert watched.integrity.damage == ""
    assert maillog.verify() == []


@pytest.mark.parametrize("table", ["events", "deliveries", "mails", "hourly"])
def test_what_is_lost_is_told_until_it_is_mended_or_accepted(watched: Watched, table: str) -> None:
    watched.each(f"TRUNCATE TABLE {table}")
    watched.maillog.append(batch("afterwards", mails=1))
    for alone in (False, True):
        assert f"rows of {table} (2026" in watched.damage(alone), "however often it is looked at"
    assert watched.attended.health().damage == ""
    watched.integrity.look()
    assert watched.attended.health().damage == watched.damage()
    watched.attended.retain(1, 10_000)
    assert watched.damage()
    if table == "events":
        assert "mailvane restore" in watched.damage()
        with pytest.raises(StoreDamaged):
            watched.attended.rebuild()
        assert watched.maillog.health().deliveries == 39, "what was made of lost events is kept"
        watched.attended.accept_losses()
    else:
        assert "mailvane rebuild" in watched.damage()
        assert watched.maillog.verify()[0].split(":")[-2].endswith(table)
        watched.attended.rebuild()
        assert watched.maillog.health().deliveries == 39
    assert watched.damage() == watched.attended.health().damage == ""
    assert watched.maillog.verify() == []


def test_a_lost_row_of_events_is_told(watched: Watched) -> None:
    watched.each("ALTER TABLE events DELETE WHERE number = 3 AND type = 'delivered' SETTINGS mutations_sync = 2")
    assert "3 rows of events (202609)" in watched.damage()


def test_while_one_changes_what_is_stored_the_others_do_not_compare(watched: Watched) -> None:
    with watched.integrity.changing():
        watched.each("TRUNCATE TABLE deliveries")
        assert watched.damage() == ""
        assert watched.looking().damage == ""
    assert watched.damage() == "", "what is there after it is what it made of it"


def test_one_that_was_killed_while_it_changed_what_is_stored_raises_no_alarm(watched: Watched) -> None:
    def killed() -> None:
        with watched.integrity.changing():
            watched.each("TRUNCATE TABLE deliveries")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert watched.damage() == ""
    kept = watched.ledger.maillog_record.maillog_record()
    assert kept.changing_until == 0


def test_two_nodes_keep_one_record(watched: Watched) -> None:
    one, two = watched.looking(), watched.looking()
    stale = watched.ledger.maillog_record.maillog_record()
    watched.maillog.append(batch("more", mails=2))
    one.look()
    assert not watched.ledger.maillog_record.keep_maillog_record(stale), "a newer one is not overwritten"
    two.look()
    assert (one.damage, two.damage) == ("", "")


# What a disk may do to files. Each gets the directory of the embedded mail log, and that of one table.


def a_part(table: Path) -> Path:
    return min(path for path in table.iterdir() if path.name[0] == "2" and any(path.iterdir()))


def delete_part(_: Path, table: Path) -> None:
    shutil.rmtree(a_part(table))


def truncate_column(_: Path, table: Path) -> None:
    with (a_part(table) / "data.bin").open("r+b") as file:
        file.truncate(10)


def lose_list_of_columns(_: Path, table: Path) -> None:
    (a_part(table) / "columns.txt").unlink()


def lose_definition(directory: Path, table: Path) -> None:
    (found,) = (path for path in directory.glob("metadata/*/*.sql") if table.name in path.read_text())
    found.unlink()


def lose_table(_: Path, table: Path) -> None:
    shutil.rmtree(table)


def lose_everything(directory: Path, _: Path) -> None:
    shutil.rmtree(directory)


Damage = Callable[[Path, Path], None]
SEEN_AT_START = (delete_part, truncate_column, lose_list_of_columns, lose_definition, lose_table, lose_everything)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded mail log and the ledger beside it, both closed."""
    directory = tmp_path_factory.mktemp("closed")
    ledger = fresh_ledger(directory / "ledger.sqlite")
    with open_maillog(f"chdb://{directory / 'maillog'}") as maillog:
        for n in range(3):
            maillog.append(batch(f"t{n}"))
        Integrity(ledger.maillog_record, maillog, lambda: NOW, alone=True).look()
    ledger.close()
    return directory


@pytest.fixture
def directory(closed: Path, tmp_path: Path) -> Path:
    """A mail log of its own, to be damaged."""
    shutil.copytree(closed, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "maillog"


def place_of(table: str, directory: Path) -> Path:
    return (directory / "data" / "mailvane" / table).resolve()


@pytest.mark.parametrize("table", ["events", "deliveries"])
@pytest.mark.parametrize("damage", SEEN_AT_START)
def test_a_damaged_directory_is_told_at_the_start(directory: Path, damage: Damage, table: str) -> None:
    ledger = open_ledger(f"sqlite:///{directory.parent / 'ledger.sqlite'}")
    damage(directory, place_of(table, directory))
    for _ in range(2):
        with open_maillog(f"chdb://{directory}") as maillog:
            integrity = Integrity(ledger.maillog_record, maillog, lambda: NOW, alone=True)
            integrity.look()
            assert f"rows of {table} (2026" in integrity.damage
            maillog.append(batch("afterwards", mails=1))
    ledger.close()


@pytest.mark.parametrize("table", ["events", "deliveries"])
def test_a_byte_that_changed_is_found_by_reading(directory: Path, table: str) -> None:
    damaged = a_part(place_of(table, directory)) / "data.bin"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    with open_maillog(f"chdb://{directory}") as maillog:
        (found,) = maillog.verify()
        assert found.startswith(f"{table}: part {damaged.parent.name} is broken: ")
        with pytest.raises(StoreDamaged, match="doctor --deep"):
            maillog._engine.rows(f"SELECT * FROM {table}")
        maillog.accept_losses()
        maillog.rebuild()
        assert maillog.verify() == []


def test_a_definition_that_cannot_be_read_is_one_line(directory: Path) -> None:
    (definition,) = directory.glob("metadata/*/events.sql")
    definition.write_text("ATTACH TABLE")
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=r"cannot be opened: .*`mailvane restore`"):
            Engine(parse_address(f"chdb://{directory}"))


def test_views_that_are_filled_anew_are_not_missed(watched: Watched, ledger: Ledger) -> None:
    """As when a later version opens the mail log: their parts are others, and fewer."""
    made_anew(ledger.maillog_record, ("engagement",))
    watched.each("TRUNCATE TABLE engagement")
    assert watched.damage() == ""
    watched.each("TRUNCATE TABLE mails")
    assert "rows of mails" in watched.damage()
    made_anew(ledger.maillog_record, ("mails",))
    assert watched.damage() == ""
