"""What the mail log's directory must survive: reopening, a second owner, a newer writer, backup and restore."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from mailvane.core.errors import AlreadyExists, InvalidSetting, NotFound, StoreInUse, StoreTooNew
from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog, upkeep
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.clickhouse.schema import KEPT, TABLES
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion

NOON = 1_790_000_000_000
DAY = 86_400_000


def batch(token: str, count: int = 3) -> EventBatch:
    """Mails that are accepted and delivered, a month apart from each other."""
    events = []
    for n in range(count):
        at = NOON + n * 31 * DAY
        events.append(MailEvent(relay=1, accepted_at=at, number=n, type=EventType.ACCEPTED, at=at, waiting=1))
        events.append(
            MailEvent(
                relay=1,
                accepted_at=at,
                number=n,
                type=EventType.DELIVERED,
                at=at + 1,
                waiting=-1,
                recipient="a@b.example",
            )
        )
    return EventBatch(token, 7, 0, events)


def seen(maillog: ClickHouseMailLog) -> tuple[int, int]:
    page = maillog.search(LogQuestion(workspace=7, relays=(1,), limit=10_000))
    return page.total, sum(row.attempts for row in page.deliveries)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "maillog"


def test_what_was_stored_is_there_after_reopening_and_known_by_its_token(directory: Path) -> None:
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(batch("one"))
    with open_maillog(f"chdb://{directory}") as maillog:
        assert seen(maillog) == (3, 3)
        maillog.append(batch("one"))
        maillog.append(batch("two"))
        assert seen(maillog) == (3, 6)


@pytest.mark.parametrize(("days", "stored"), [(20_000, 20_000), (20_001, 65_535), (36_500, 65_535), (0, 65_535)])
def test_more_days_than_can_be_reckoned_are_for_ever(directory: Path, days: int, stored: int) -> None:
    """A row that the engine takes for expired is gone with the next merge."""
    with open_maillog(f"chdb://{directory}") as maillog:
        engine = maillog._engine
        maillog.append(structs.replace(batch("one"), retention_days=days))
        maillog.append(structs.replace(batch("two"), workspace=8, retention_days=30))
        maillog.retain(8, days)
        for table in set(KEPT) - {"reactions", "queue_ids", "message_ids"}:  # there were none
            assert engine.rows(f"SELECT DISTINCT keep_days FROM {table}") == [(stored,)]
            engine.command(f"OPTIMIZE TABLE {table} FINAL")
        assert seen(maillog) == (3, 3)


def test_no_table_starts_a_crowd_of_threads_also_when_a_rebuild_has_made_it(directory: Path) -> None:
    question = (
        "SELECT name, position(engine_full, 'concurrent_part_removal_threshold = 1000000') > 0 FROM system.tables"
        " WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')"
    )
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(batch("one"))
        maillog.rebuild()
        found = {str(name): bool(is_set) for name, is_set in maillog._engine.rows(question)}
        with upkeep.fresh_table(maillog._engine, "deliveries") as fresh:
            made = {str(name): bool(is_set) for name, is_set in maillog._engine.rows(question)}
        assert seen(maillog) == (3, 3)
    assert set(TABLES) <= found.keys()
    assert all(found.values())
    assert made[fresh]


def test_a_second_process_is_refused_with_a_reason(directory: Path) -> None:
    attempt = f"from mailvane.maillog.clickhouse import open_maillog; open_maillog('chdb://{directory}')"
    with open_maillog(f"chdb://{directory}"):
        second = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, check=False)
        assert second.returncode != 0
        assert f"StoreInUse: another process owns the mail log in {directory}" in second.stderr
        with pytest.raises(StoreInUse):
            open_maillog(f"chdb://{directory}")
    open_maillog(f"chdb://{directory}").close()


@pytest.mark.parametrize("stamp", ["SELECT 999, '26.9', 26, 9", "SELECT 1, '99.1', 99, 1"])
def test_what_a_newer_one_wrote_is_refused(directory: Path, stamp: str) -> None:
    open_maillog(f"chdb://{directory}").close()
    engine = Engine(parse_address(f"chdb://{directory}"))
    engine.command(f"INSERT INTO written_by {stamp}")
    engine.close()
    with pytest.raises(StoreTooNew):
        open_maillog(f"chdb://{directory}")


def test_a_backup_is_restored_into_an_empty_mail_log(directory: Path, tmp_path: Path) -> None:
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(batch("one"))
        maillog.backup(tmp_path / "backup")
        with pytest.raises(AlreadyExists):
            maillog.backup(tmp_path / "backup")
        with pytest.raises(AlreadyExists):
            maillog.restore(tmp_path / "backup")
    with open_maillog(f"chdb://{tmp_path / 'other'}") as other:
        other.restore(tmp_path / "backup")
        assert seen(other) == (3, 3)
        other.append(batch("one"))
        assert seen(other) == (3, 3), "a batch of the backup is still known by its token"
        other.append(batch("two"))
        assert seen(other) == (3, 6)
        other.rebuild()
        assert seen(other) == (3, 6)


def test_upkeep_says_what_it_cannot_do(directory: Path, tmp_path: Path) -> None:
    with open_maillog(f"chdb://{directory}") as maillog, pytest.raises(NotFound):
        maillog.restore(tmp_path / "nothing")


@pytest.mark.parametrize(
    "dsn",
    [
        "chdb://", "chdb://memory", "chdb:///path?x=1", "clickhouse://", "clickhouse:///db", "mysql://h/db",
        "clickhouse://h:port/db", "clickhouse://h/db?unknown=1", "nonsense", "",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(dsn: str) -> None:
    with pytest.raises(InvalidSetting):
        open_maillog(dsn)


def test_an_address_names_servers_user_and_cluster() -> None:
    address = parse_address("clickhouses://me:p%40ss@one,two:9999/mail?cluster=pair")
    assert address.servers == (("one", 8443), ("two", 9999))
    assert (address.user, address.password, address.secure) == ("me", "p@ss", True)
    assert (address.database, address.cluster) == ("mail", "pair")


WRITER = """
import sys
from mailvane.maillog.clickhouse import open_maillog
sys.path.insert(0, {root!r})
from tests.contract.test_maillog_keeping import batch
with open_maillog("chdb://" + {directory!r}) as maillog:
    for n in range({first}, 1000):
        maillog.append(batch(f"batch {{n}}", 4))
        print(n, flush=True)
"""


def test_a_killed_writer_loses_nothing_and_doubles_nothing(directory: Path) -> None:
    stored = -1
    for pause in (3, 11, 6):
        writer = WRITER.format(root=str(Path(__file__).parents[2]), directory=str(directory), first=stored + 1)
        process = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(pause):
            stored = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        stored = int(rest[-1]) if rest else stored
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(batch(f"batch {stored + 1}", 4))  # was perhaps under way
        assert seen(maillog) == (4, 4 * (stored + 2))
        assert maillog.health().events == 8 * (stored + 2)


MANY_PARTS = """
import sys, time
from mailvane.maillog.clickhouse import open_maillog
from tests.contract.test_maillog_keeping import batch

with open_maillog("chdb://" + sys.argv[1]) as maillog:
    maillog.append(batch("a part for each month", 110))
    for table in ("deliveries", "events"):
        maillog._engine.command("TRUNCATE TABLE " + table)
    for _ in range(600):
        if maillog._engine.rows("SELECT count() FROM system.parts WHERE NOT active")[0][0] == 0:
            break
        time.sleep(0.1)
    print(maillog._engine.rows("SELECT value FROM system.metrics WHERE metric = 'GlobalThread'")[0][0])
"""


def test_many_parts_that_are_removed_at_once_start_no_crowd_of_threads(tmp_path: Path) -> None:
    # In a process of its own: threads that others of these tests made would be used again.
    found = subprocess.run(
        [sys.executable, "-c", MANY_PARTS, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(found.stdout) < 100
