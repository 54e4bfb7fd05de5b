"""What every ledger must do, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text, update

from mailvane.core.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidSetting,
    NotFound,
    SourceMoved,
    StoreTooNew,
    StoreUnavailable,
)
from mailvane.core.ledger import database as ledger_database
from mailvane.core.ledger.tables import metadata
from mailvane.core.tenants.model import KeyKind, Price
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, SourceCursor
from mailvane.maillog.store.tables import journal
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.ledgers import PostgresServer
from tests.processes import FORKING

NOW = 1_790_000_000_000
CURSOR = SourceCursor(
    stream="postfix:1", file="f1", name="/var/log/mail.log", offset=900, line=7, tail=b"\x00\xff", reference=NOW
)


def event(number: int) -> MailEvent:
    return MailEvent(
        relay=1, accepted_at=NOW, number=number, type=EventType.DELIVERED, at=NOW + 5, recipient="ånn@example.org"
    )


def batch(*numbers: int, token: str = "t1", workspace: int = 1) -> EventBatch:
    return EventBatch(token, workspace, 30, [event(number) for number in numbers])


def numbers_pending(ledger: Ledger) -> list[int]:
    return [event.number for pending in ledger.journal.pending(1000) for event in pending.batch.events]


def engine_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


# -- tenants


def test_a_new_workspace_is_found_by_every_other_opening(ledger: Ledger, ledger_url: str) -> None:
    made = ledger.tenants.add_workspace("Acme & Söhne", NOW)
    other = open_ledger(ledger_url)
    assert other.tenants.workspaces() == [made]
    assert made.created_at == NOW
    other.close()


def test_two_workspaces_cannot_share_a_name(ledger: Ledger) -> None:
    first = ledger.tenants.add_workspace("acme", NOW)
    second = ledger.tenants.add_workspace("other", NOW)
    with pytest.raises(AlreadyExists, match="acme"):
        ledger.tenants.add_workspace("acme", NOW)
    with pytest.raises(AlreadyExists, match="acme"):
        ledger.tenants.save_workspace(msgspec.structs.replace(second, name="acme"))
    assert ledger.tenants.workspaces() == [first, second]


def test_a_workspace_keeps_its_new_name_and_retention(ledger: Ledger) -> None:
    changed = msgspec.structs.replace(ledger.tenants.add_workspace("acme", NOW), name="acme.example", retention_days=90)
    ledger.tenants.save_workspace(changed)
    assert ledger.tenants.workspaces() == [changed]


def test_saving_what_is_not_there_finds_nothing(ledger: Ledger) -> None:
    workspace = ledger.tenants.add_workspace("acme", NOW)
    relay = ledger.tenants.add_relay(workspace.id, "", NOW)
    with pytest.raises(NotFound):
        ledger.tenants.save_workspace(msgspec.structs.replace(workspace, id=99))
    with pytest.raises(NotFound):
        ledger.tenants.save_relay(msgspec.structs.replace(relay, id=99))
    with pytest.raises(NotFound):
        ledger.tenants.add_relay(99, "", NOW)
    with pytest.raises(NotFound):
        ledger.tenants.add_key(KeyKind.WORKSPACE, 99, "sk_secret", NOW)


def test_relay_ids_count_from_one_across_workspaces(ledger: Ledger) -> None:
    one, two = (ledger.tenants.add_workspace(name, NOW).id for name in ("one", "two"))
    made = [ledger.tenants.add_relay(workspace, f"of {workspace}", NOW) for workspace in (one, two, one)]
    assert [relay.id for relay in made] == [1, 2, 3]
    assert ledger.tenants.relays(one) == [made[0], made[2]]
    assert ledger.tenants.relays(two) == [made[1]]
    assert made[0].active
    assert made[0].price == Price()


def test_one_workspace_and_one_relay_are_found_among_all(ledger: Ledger) -> None:
    first, second = ledger.tenants.add_workspace("first", NOW), ledger.tenants.add_workspace("sec\ufffdond", NOW)
    relay = ledger.tenants.add_relay(second.id, "x", NOW)
    assert [ledger.tenants.workspace(each.id) for each in (first, second)] == [first, second]
    assert [ledger.tenants.workspace_named(each.name) for each in (first, second)] == [first, second]
    assert ledger.tenants.relay(relay.id) == relay
    for number in (0, second.id + 1, 2**31, 10**18):
        assert ledger.tenants.workspace(number) is None
        assert ledger.tenants.relay(number + relay.id + 1) is None
    for name in ("", "FIRST", "first ", "third", "sec\0ond", "sec\ud800ond"):
        assert ledger.tenants.workspace_named(name) is None


def test_a_relay_of_another_workspace_cannot_be_changed(ledger: Ledger) -> None:
    one, two = (ledger.tenants.add_workspace(name, NOW).id for name in ("one", "two"))
    relay = ledger.tenants.add_relay(one, "mine", NOW)
    with pytest.raises(NotFound):
        ledger.tenants.save_relay(msgspec.structs.replace(relay, workspace=two, comment="stolen"))
    assert ledger.tenants.relays(one) == [relay]


def test_prices_are_exact(ledger: Ledger) -> None:
    relay = ledger.tenants.add_relay(ledger.tenants.add_workspace("acme", NOW).id, "", NOW)
    price = Price(Decimal("0.10"), Decimal("0.123456789012345678"), "EUR")
    changed = msgspec.structs.replace(relay, comment="old", active=False, billing_day=28, price=price)
    ledger.tenants.save_relay(changed)
    (found,) = ledger.tenants.relays(relay.workspace)
    assert found == changed
    assert str(found.price.base) == "0.10"


def test_a_key_is_found_by_its_secret_and_only_its_hash_is_kept(ledger: Ledger, ledger_url: str) -> None:
    workspace = ledger.tenants.add_workspace("acme", NOW).id
    secret = "sk_0123456789abcdefghijklmnopqrstuvwxyz"
    key = ledger.tenants.add_key(KeyKind.WORKSPACE, workspace, secret, NOW)
    platform = ledger.tenants.add_key(KeyKind.PLATFORM, None, "sk_user_another", NOW)
    assert ledger.tenants.key(secret) == key
    assert ledger.tenants.key("sk_user_another") == platform
    assert ledger.tenants.key(secret + "x") is None
    assert ledger.tenants.key("\udc80") is None
    assert secret.startswith(key.hint)
    assert len(key.hint) <= 12
    engine = create_engine(engine_url(ledger_url))
    with engine.connect() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM keys")).all())
    engine.dispose()


def test_a_value_that_no_engine_stores_is_bad_input(ledger: Ledger) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        ledger.tenants.add_relay(2**70, "", NOW)


# -- journal


def test_one_step_is_committed_whole(ledger: Ledger) -> None:
    entry = JournalEntry(batch=batch(1, 2), cursor=CURSOR, opened=(("q2", b"two"), ("q1", b"one")))
    pending = ledger.journal.commit(entry, NOW)
    assert pending is not None
    assert ledger.journal.pending(10) == [pending]
    assert pending.batch == entry.batch
    assert ledger.journal.cursors("postfix:1") == [CURSOR]
    assert dict(ledger.journal.in_flight("postfix:1")) == {"q1": b"one", "q2": b"two"}
    assert ledger.journal.cursors("postfix:2") == []
    assert list(ledger.journal.in_flight("postfix:2")) == []


def test_a_later_step_replaces_cursor_and_states(ledger: Ledger) -> None:
    ledger.journal.commit(JournalEntry(batch=batch(), cursor=CURSOR, opened=(("q1", b"1"), ("q2", b"2"))), NOW)
    moved = msgspec.structs.replace(CURSOR, offset=2**40, line=9, name="/var/log/mail.log.1")
    entry = JournalEntry(
        batch=batch(), cursor=moved, follows=900, opened=(("q2", b"22"), ("q3", b"3")), closed=("q1", "unheard")
    )
    assert ledger.journal.commit(entry, NOW) is None
    assert ledger.journal.cursors("postfix:1") == [moved]
    assert dict(ledger.journal.in_flight("postfix:1")) == {"q2": b"22", "q3": b"3"}
    assert ledger.journal.backlog() == 0


def test_a_step_from_where_the_cursor_is_not_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    def step(follows: int, offset: int, number: int) -> JournalEntry:
        cursor = msgspec.structs.replace(CURSOR, offset=offset)
        opened = ((f"q{number}", b""),)
        return JournalEntry(
            batch=batch(number), cursor=cursor, follows=follows, opened=opened, event_ids=(f"id{number}",)
        )

    with pytest.raises(SourceMoved):
        ledger.journal.commit(step(follows=5, offset=9, number=1), NOW)
    ledger.journal.commit(step(follows=0, offset=5, number=2), NOW)
    for follows in (0, 4, 6):
        with pytest.raises(SourceMoved):
            ledger.journal.commit(step(follows=follows, offset=9, number=3), NOW)
    ledger.journal.commit(step(follows=5, offset=0, number=4), NOW)
    ledger.journal.commit(step(follows=0, offset=7, number=5), NOW)
    assert numbers_pending(ledger) == [2, 4, 5]
    assert [key for key, _ in ledger.journal.in_flight("postfix:1")] == ["q2", "q4", "q5"]
    assert [cursor.offset for cursor in ledger.journal.cursors("postfix:1")] == [7]
    assert ledger.journal.commit(JournalEntry(batch=batch(3), event_ids=("id3",)), NOW) is not None


def test_of_readers_that_go_on_from_one_place_one_gets_on(ledger: Ledger) -> None:
    def attempt(reader: int, follows: int) -> int:
        cursor = msgspec.structs.replace(CURSOR, offset=follows + 10)
        try:
            ledger.journal.commit(JournalEntry(batch=batch(reader), cursor=cursor, follows=follows), NOW)
        except SourceMoved:
            return 0
        return 1

    with ThreadPoolExecutor(6) as threads:
        for follows in (0, 10, 20):
            assert sum(threads.map(attempt, range(6), [follows] * 6)) == 1
    assert ledger.journal.backlog() == 3


def test_a_step_that_fails_leaves_nothing(ledger: Ledger) -> None:
    broken = JournalEntry(batch=batch(1), cursor=CURSOR, opened=(("q1", None),), event_ids=("a",))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="state"):
        ledger.journal.commit(broken, NOW)
    assert ledger.journal.cursors("postfix:1") == []
    assert ledger.journal.backlog() == 0
    assert ledger.journal.commit(JournalEntry(batch=batch(1), event_ids=("a",)), NOW) is not None


def test_an_entry_that_contradicts_itself_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        ledger.journal.commit(JournalEntry(batch=batch(), opened=(("q1", b""),)), NOW)
    with pytest.raises(InvalidInput, match="id"):
        ledger.journal.commit(JournalEntry(batch=batch(1, 2), event_ids=("a",)), NOW)
    surrogate = msgspec.structs.replace(event(1), subject="\udc80")
    with pytest.raises(InvalidInput, match="Unicode"):
        ledger.journal.commit(JournalEntry(batch=EventBatch("t", 1, 0, [surrogate])), NOW)


def test_batches_wait_in_order_until_they_are_settled(ledger: Ledger) -> None:
    made = [ledger.journal.commit(JournalEntry(batch=batch(number, token=f"t{number}")), NOW) for number in range(5)]
    sequences = [pending.sequence for pending in made if pending is not None]
    assert sequences == sorted(sequences)
    assert [pending.sequence for pending in ledger.journal.pending(2)] == sequences[:2]
    ledger.journal.settle([sequences[0], sequences[3]])
    ledger.journal.settle([])
    ledger.journal.settle([sequences[0]])
    assert numbers_pending(ledger) == [1, 2, 4]
    assert ledger.journal.backlog() == 3


def test_a_sequence_is_never_given_twice(ledger: Ledger) -> None:
    first = ledger.journal.commit(JournalEntry(batch=batch(1)), NOW)
    assert first is not None
    ledger.journal.settle([first.sequence])
    second = ledger.journal.commit(JournalEntry(batch=batch(2)), NOW)
    assert second is not None
    ledger.journal.settle([first.sequence])
    assert numbers_pending(ledger) == [2]


def test_an_event_id_counts_once_per_workspace(ledger: Ledger) -> None:
    ledger.journal.commit(JournalEntry(batch=batch(1, 2), event_ids=("a", "b")), NOW)
    again = JournalEntry(batch=batch(1, 2, 3, 3, token="t2"), event_ids=("a", "b", "c", "c"))
    left = ledger.journal.commit(again, NOW + 1)
    assert left is not None
    assert [event.number for event in left.batch.events] == [3]
    assert ledger.journal.commit(again, NOW + 2) is None
    elsewhere = JournalEntry(batch=batch(1, workspace=2), event_ids=("a",))
    assert ledger.journal.commit(elsewhere, NOW) is not None
    assert numbers_pending(ledger) == [1, 2, 3, 1]


def test_what_is_left_of_a_batch_gets_a_token_of_its_own(ledger: Ledger) -> None:
    whole = ledger.journal.commit(JournalEntry(batch=batch(1), event_ids=("a",)), NOW)
    left = ledger.journal.commit(JournalEntry(batch=batch(1, 2), event_ids=("a", "b")), NOW)
    assert whole is not None
    assert left is not None
    assert whole.batch.token == "t1"
    assert left.batch.token != "t1"


def test_an_event_id_may_be_as_long_as_it_likes(ledger: Ledger) -> None:
    long = "é" * 20_000
    assert ledger.journal.commit(JournalEntry(batch=batch(1, 2), event_ids=(long + "1", long + "2")), NOW) is not None
    assert ledger.journal.commit(JournalEntry(batch=batch(1), event_ids=(long + "2",)), NOW) is None


def test_old_event_ids_are_forgotten(ledger: Ledger) -> None:
    ledger.journal.commit(JournalEntry(batch=batch(1), event_ids=("old",)), NOW)
    ledger.journal.commit(JournalEntry(batch=batch(2), event_ids=("new",)), NOW + 10)
    assert ledger.journal.prune(NOW + 10) == 1
    assert ledger.journal.prune(NOW + 10) == 0
    assert ledger.journal.commit(JournalEntry(batch=batch(1), event_ids=("old",)), NOW + 11) is not None
    assert ledger.journal.commit(JournalEntry(batch=batch(2), event_ids=("new",)), NOW + 11) is None


def test_a_large_step_is_one_step(ledger: Ledger) -> None:
    many = range(6_000)
    states = tuple((f"q{number}", b"state") for number in many)
    ids = tuple(f"id{number}" for number in many)
    entry = JournalEntry(batch=batch(*many), cursor=CURSOR, opened=states, event_ids=ids)
    assert ledger.journal.commit(entry, NOW) is not None
    assert len(list(ledger.journal.in_flight("postfix:1"))) == len(many)
    keys = tuple(key for key, _ in states)
    closing = JournalEntry(batch=batch(*many), cursor=CURSOR, follows=900, closed=keys, event_ids=ids)
    assert ledger.journal.commit(closing, NOW) is None
    assert list(ledger.journal.in_flight("postfix:1")) == []


def test_a_batch_in_a_form_of_a_newer_mailvane_is_refused_and_kept(ledger: Ledger, ledger_url: str) -> None:
    ledger.journal.commit(JournalEntry(batch=batch(1)), NOW)
    engine = create_engine(engine_url(ledger_url))
    with engine.begin() as connection:
        connection.execute(update(journal).values(payload=b"\x7fsomething new"))
    engine.dispose()
    with pytest.raises(StoreTooNew, match="journal"):
        ledger.journal.pending(1)
    assert ledger.journal.backlog() == 1


# -- several at once


def claim(ledger: Ledger, worker: int) -> int:
    """Commit the same ids as everyone else, each worker in an order of its own; how many were new."""
    numbers = sorted(range(200), key=lambda number: (number * (2 * worker + 3)) % 211)
    counted = 0
    for start in range(0, 200, 20):
        part = numbers[start : start + 20]
        entry = JournalEntry(
            batch=batch(*part, token=f"{worker}/{start}"), event_ids=tuple(f"id{number}" for number in part)
        )
        pending = ledger.journal.commit(entry, NOW)
        counted += len(pending.batch.events) if pending else 0
    return counted


def open_and_claim(url: str, worker: int) -> int:
    ledger = open_ledger(url)
    counted = claim(ledger, worker)
    ledger.close()
    return counted


def test_threads_that_commit_the_same_ids_count_each_once(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda worker: claim(ledger, worker), range(8))) == 200
    assert sorted(numbers_pending(ledger)) == list(range(200))


def test_processes_that_start_at_once_on_a_new_ledger_count_each_id_once(ledger_url: str) -> None:
    with ProcessPoolExecutor(3, mp_context=FORKING) as processes:
        assert sum(processes.map(open_and_claim, [ledger_url] * 3, range(3))) == 200
    ledger = open_ledger(ledger_url)
    assert sorted(numbers_pending(ledger)) == list(range(200))
    ledger.close()


def test_threads_that_open_a_new_ledger_at_once_all_succeed(ledger_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        opened = list(threads.map(open_ledger, [ledger_url] * 6))
    assert opened[0].tenants.add_workspace("acme", NOW) in opened[5].tenants.workspaces()
    for each in opened:
        each.close()


def test_of_workspaces_made_at_once_under_one_name_one_is_made(ledger: Ledger) -> None:
    def attempt(_: int) -> bool:
        try:
            ledger.tenants.add_workspace("acme", NOW)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(attempt, range(6))) == 1


# -- the door


def test_the_migrations_make_the_tables_that_the_code_knows(ledger: Ledger, ledger_url: str) -> None:
    engine = create_engine(engine_url(ledger_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_ledger_of_a_newer_mailvane_is_refused(ledger: Ledger, ledger_url: str) -> None:
    engine = create_engine(engine_url(ledger_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreTooNew, match=r"newer Mailvane.*9999"):
        open_ledger(ledger_url)


@pytest.mark.parametrize(
    "url", ["mysql://root@localhost/x", "ledger.sqlite", "", "sqlite://", "sqlite:///:memory:", "postgresql://h:port/d"]
)
def test_an_address_of_nothing_we_know_is_an_invalid_setting(url: str) -> None:
    with pytest.raises(InvalidSetting, match="ledger"):
        open_ledger(url)


def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_ledger("postgresql://someone:geheim@127.0.0.1:1/ledger")
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_ledger_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"something else, and long enough to have a header " * 40)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file"):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'deep' / 'down' / 'ledger.sqlite'}"


def test_a_ledger_locked_for_too_long_is_unavailable(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "BUSY_SECONDS", 0)
    ledger = open_ledger(sqlite_url)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        ledger.tenants.add_workspace("acme", NOW)
    assert ledger.tenants.workspaces() == []  # readers go on
    open_ledger(sqlite_url).close()  # and so does whoever has nothing to migrate
    holder.execute("ROLLBACK")
    holder.close()
    assert ledger.tenants.add_workspace("acme", NOW).id == 1
    ledger.close()


def test_a_full_disk_is_unavailable_and_changes_nothing(sqlite_url: str) -> None:
    ledger = open_ledger(sqlite_url)
    ledger.journal.commit(JournalEntry(batch=batch(1), cursor=CURSOR), NOW)
    with ledger.database.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite then says what a full disk makes it say
    large = tuple((f"q{number}", bytes(1000)) for number in range(200))
    with pytest.raises(StoreUnavailable, match="disk is full"):
        ledger.journal.commit(JournalEntry(batch=batch(2), cursor=CURSOR, follows=900, opened=large), NOW)
    assert numbers_pending(ledger) == [1]
    assert list(ledger.journal.in_flight("postfix:1")) == []
    ledger.close()


def test_what_was_committed_survives_the_power(sqlite_url: str) -> None:
    ledger = open_ledger(sqlite_url)
    with ledger.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    ledger.close()


def test_a_server_that_came_back_is_used_again(postgres: PostgresServer) -> None:
    ledger = open_ledger(postgres.get_uri())
    ledger.journal.backlog()
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mailvane';")
    assert ledger.journal.backlog() == 0
    ledger.close()


def test_a_node_that_hangs_does_not_hang_the_others(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "BUSY_SECONDS", 1)
    postgres.psql("CREATE DATABASE hanging")
    url = postgres.get_uri("hanging")
    ledger = open_ledger(url)
    engine = create_engine(engine_url(url))
    with engine.begin() as hanging:
        hanging.execute(text("LOCK TABLE workspaces"))
        with pytest.raises(StoreUnavailable, match=r"ledger hanging on .*: another process has kept it locked"):
            ledger.tenants.add_workspace("acme", NOW)
    assert ledger.tenants.add_workspace("acme", NOW).name == "acme"
    engine.dispose()
    ledger.close()


# -- copies


def test_a_copy_holds_everything_and_can_be_taken_over(sqlite_url: str, tmp_path: Path) -> None:
    ledger = open_ledger(sqlite_url)
    workspace = ledger.tenants.add_workspace("acme", NOW)
    ledger.journal.commit(JournalEntry(batch=batch(1), cursor=CURSOR), NOW)
    ledger.copies.copy_to(tmp_path / "copy.sqlite")
    with pytest.raises(InvalidInput, match="exists"):
        ledger.copies.copy_to(tmp_path / "copy.sqlite")
    ledger.close()
    fresh = open_ledger(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    fresh.copies.copy_from(tmp_path / "copy.sqlite")
    assert fresh.tenants.workspaces() == [workspace]
    assert fresh.journal.cursors("postfix:1") == [CURSOR]
    assert numbers_pending(fresh) == [1]
    assert fresh.tenants.add_workspace("next", NOW).id == 2
    fresh.close()


def test_what_is_no_copy_is_refused_and_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    ledger = open_ledger(sqlite_url)
    workspace = ledger.tenants.add_workspace("acme", NOW)
    (tmp_path / "text").write_text("not a copy " * 100)
    sqlite3.connect(tmp_path / "other.sqlite").close()
    for name in ("text", "other.sqlite", "missing"):
        with pytest.raises(InvalidInput, match="not a copy"):
            ledger.copies.copy_from(tmp_path / name)
    assert ledger.tenants.workspaces() == [workspace]
    ledger.close()


def test_a_copy_of_a_newer_mailvane_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    ledger = open_ledger(sqlite_url)
    ledger.copies.copy_to(tmp_path / "copy.sqlite")
    with sqlite3.connect(tmp_path / "copy.sqlite") as copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
    copy.close()
    with pytest.raises(StoreTooNew):
        ledger.copies.copy_from(tmp_path / "copy.sqlite")
    ledger.close()


def test_postgresql_is_copied_with_its_own_tools(postgres: PostgresServer, tmp_path: Path) -> None:
    ledger = open_ledger(postgres.get_uri())
    with pytest.raises(InvalidInput, match="pg_dump"):
        ledger.copies.copy_to(tmp_path / "copy")
    ledger.close()
