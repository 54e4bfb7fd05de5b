"""What is claimed keeps its token for ever, so that it can be carried any number of times; on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import update

from mailvane.core.errors import StoreTooNew
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, PendingBatch
from mailvane.maillog.store.bundling import BUNDLE_EVENTS, SMALL_EVENTS
from mailvane.maillog.store.tables import journal
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.ledgers import PostgresServer

NOW = 1_790_000_000_000
MANY = 1_000_000


def commit(ledger: Ledger, number: int, events: int = 1, workspace: int = 1, retention_days: int = 30) -> PendingBatch:
    made = [
        MailEvent(relay=1, accepted_at=NOW, number=number, line=line, type=EventType.DELIVERED, at=NOW)
        for line in range(events)
    ]
    pending = ledger.journal.commit(
        JournalEntry(batch=EventBatch(f"t{number}", workspace, retention_days, made)), NOW + number
    )
    assert pending is not None
    return pending


def numbers(found: Sequence[PendingBatch]) -> list[list[int]]:
    return [[event.number for event in pending.batch.events] for pending in found]


def by_sequence(found: Sequence[PendingBatch]) -> list[tuple[int, EventBatch]]:
    return sorted(((pending.sequence, pending.batch) for pending in found), key=lambda pair: pair[0])


def test_small_batches_of_a_kind_become_one_in_their_order(ledger: Ledger) -> None:
    made = [commit(ledger, number) for number in range(5)]
    (found,) = ledger.journal.claim(MANY, {})
    assert [event for pending in made for event in pending.batch.events] == found.batch.events
    assert (found.batch.workspace, found.batch.retention_days) == (1, 30)
    assert found.members == tuple(pending.sequence for pending in made)
    assert found.batch.token not in {pending.batch.token for pending in made}
    assert by_sequence(ledger.journal.pending(10)) == by_sequence([found])
    ledger.journal.settle([found.sequence])
    assert ledger.journal.backlog() == 0


def test_the_token_of_a_bundle_follows_from_what_is_in_it(ledger: Ledger) -> None:
    tokens = []
    for wanted in ((1, 2), (1, 2), (2, 1), (1, 2, 3)):
        for number in wanted:
            commit(ledger, number)
        (found,) = ledger.journal.claim(MANY, {})
        ledger.journal.settle([found.sequence])
        tokens.append(found.batch.token)
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3


def test_workspaces_and_retentions_are_never_mixed(ledger: Ledger) -> None:
    for number in range(12):
        commit(ledger, number, workspace=number % 2, retention_days=(30, 90)[number % 3 == 0])
    found = ledger.journal.claim(MANY, {})
    kinds = [(pending.batch.workspace, pending.batch.retention_days) for pending in found]
    assert sorted(kinds) == [(0, 30), (0, 90), (1, 30), (1, 90)]
    for pending, (workspace, days) in zip(found, kinds, strict=True):
        for each in pending.batch.events:
            assert (each.number % 2, (30, 90)[each.number % 3 == 0]) == (workspace, days)


def test_a_large_batch_and_a_lonely_one_stay_as_they_were_committed(ledger: Ledger) -> None:
    large = commit(ledger, 1, events=SMALL_EVENTS + 1)
    lonely = commit(ledger, 2)
    found = ledger.journal.claim(MANY, {})
    assert by_sequence(found) == by_sequence([large, lonely])
    assert {pending.sequence: pending.members for pending in found} == {
        large.sequence: (large.sequence,),
        lonely.sequence: (lonely.sequence,),
    }


def test_a_bundle_has_its_limit(ledger: Ledger) -> None:
    for number in range(BUNDLE_EVENTS // SMALL_EVENTS + 2):
        commit(ledger, number, events=SMALL_EVENTS)
    assert sorted(len(pending.batch.events) for pending in ledger.journal.claim(MANY, {})) == [
        2 * SMALL_EVENTS,
        BUNDLE_EVENTS,
    ]


def test_what_was_claimed_before_is_never_joined_with_anything(ledger: Ledger) -> None:
    commit(ledger, 1)
    commit(ledger, 2)
    before = ledger.journal.claim(MANY, {})
    commit(ledger, 3)
    commit(ledger, 4)
    again = ledger.journal.claim(MANY, {})
    assert again[0].batch == before[0].batch
    assert again[0].sequence == before[0].sequence
    assert again[0].members == ()
    assert numbers(again) == [[1, 2], [3, 4]]
    third = ledger.journal.claim(MANY, {})
    assert by_sequence(third) == by_sequence(again)


def test_killed_between_claim_and_store_the_same_batches_come_again(ledger: Ledger, ledger_url: str) -> None:
    commit(ledger, 1, events=SMALL_EVENTS + 1)
    for number in range(2, 6):
        commit(ledger, number, workspace=number % 2)
    claimed = ledger.journal.claim(MANY, {})
    ledger.close()
    after = open_ledger(ledger_url)
    commit(after, 9)
    found = after.journal.claim(MANY, {})
    after.close()
    assert by_sequence(found)[:-1] == by_sequence(claimed)
    assert numbers(found)[-1] == [9]


def test_killed_within_a_claim_nothing_has_changed(ledger: Ledger) -> None:
    made = [commit(ledger, number) for number in range(3)]

    def dies(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO journal"):
            raise KeyboardInterrupt

    engine = ledger.database.engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", dies)
    try:
        ledger.journal.claim(MANY, {})
    except KeyboardInterrupt:
        pass
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", dies)
    assert ledger.journal.pending(10) == made
    assert numbers(ledger.journal.claim(MANY, {})) == [[0, 1, 2]]


def test_a_batch_in_a_form_of_a_newer_mailvane_is_left_for_that_version(ledger: Ledger) -> None:
    made = [commit(ledger, number) for number in range(3)]
    with ledger.database.write() as connection:
        strange = update(journal).where(journal.c.sequence == made[1].sequence)
        connection.execute(strange.values(payload=b"\x7fsomething new"))
    with pytest.raises(StoreTooNew, match="journal"):
        ledger.journal.claim(MANY, {})
    assert ledger.journal.backlog() == 3
    with ledger.database.read() as connection:
        assert not any(row.claimed for row in connection.execute(journal.select()))


def test_a_claim_may_leave_out_what_was_claimed_before(ledger: Ledger) -> None:
    commit(ledger, 1)
    (first,) = ledger.journal.claim(MANY, {})
    assert ledger.journal.claim(MANY, {}, left_behind=False) == []
    assert ledger.journal.claim(MANY, {}, without={first.sequence}) == []
    commit(ledger, 2)
    assert numbers(ledger.journal.claim(MANY, {}, left_behind=False)) == [[2]]
    assert numbers(ledger.journal.claim(MANY, {}, without={first.sequence})) == [[2]]


def test_what_was_claimed_before_comes_first(ledger: Ledger) -> None:
    commit(ledger, 1)
    late = commit(ledger, 2, workspace=2)
    commit(ledger, 3)
    claimed = ledger.journal.claim(1, {})
    assert numbers(claimed) == [[1]]
    ledger.journal.settle([claimed[0].sequence])
    assert numbers(ledger.journal.claim(1, {}, left_behind=False)) == [[2]]
    assert [pending.sequence for pending in ledger.journal.claim(1, {})] == [late.sequence]


def test_a_claim_takes_the_oldest_up_to_its_limit_and_one_at_least(ledger: Ledger) -> None:
    commit(ledger, 1, events=7)
    for number in range(2, 6):
        commit(ledger, number, events=2)
    taken = []
    for _ in range(3):
        found = ledger.journal.claim(5, {})
        taken.append(numbers(found))
        ledger.journal.settle([pending.sequence for pending in found])
    assert taken == [[[1] * 7], [[2, 2, 3, 3]], [[4, 4, 5, 5]]]
    assert ledger.journal.claim(5, {}) == []


def test_what_is_held_is_not_read(ledger: Ledger) -> None:
    made = [commit(ledger, number) for number in range(3)]
    held = {made[1].sequence: made[1], 999: made[1]}
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "payload" in statement and statement.startswith("SELECT"):
            read.append(statement)

    sqlalchemy_event.listen(ledger.database.engine, "before_cursor_execute", note)
    assert numbers(ledger.journal.claim(MANY, held)) == [[0, 1, 2]]
    assert len(read) == 1
    commit(ledger, 3)
    pending = commit(ledger, 4)
    assert numbers(
        ledger.journal.claim(MANY, {each.sequence: each for each in [*ledger.journal.pending(9), pending]})[1:]
    ) == [[3, 4]]
    assert len(read) == 2  # of which `pending` above is one


def test_looking_when_nothing_is_pending_does_not_make_writers_wait(ledger: Ledger, ledger_url: str) -> None:
    other = open_ledger(ledger_url)
    with other.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM event_ids")
        assert ledger.journal.claim(MANY, {}) == []
    other.close()


def work(url: str, seed: int) -> dict[str, list[int]]:
    """Commit and claim in turns as a node does; what was carried under which token."""
    dice = Random(seed)
    ledger = open_ledger(url)
    carried: dict[str, list[int]] = {}
    for step in range(60):
        commit(ledger, seed * 1000 + step)
        if dice.random() < 0.4:
            found = ledger.journal.claim(dice.choice([3, MANY]), {}, left_behind=dice.random() < 0.5)
            carried |= {pending.batch.token: [event.number for event in pending.batch.events] for pending in found}
            if dice.random() < 0.7:
                ledger.journal.settle([pending.sequence for pending in found])
    ledger.close()
    return carried


def test_nodes_that_claim_at_once_lose_nothing_and_double_nothing(ledger: Ledger, ledger_url: str) -> None:
    with ThreadPoolExecutor(4) as nodes:
        parts = list(nodes.map(work, [ledger_url] * 4, range(4)))
    while found := ledger.journal.claim(MANY, {}):
        parts.append({pending.batch.token: [each.number for each in pending.batch.events] for pending in found})
        ledger.journal.settle([pending.sequence for pending in found])
    maillog: dict[str, list[int]] = {}
    for part in parts:
        for token, carried in part.items():
            assert maillog.setdefault(token, carried) == carried
    stored = sorted(number for carried in maillog.values() for number in carried)
    assert stored == sorted(seed * 1000 + step for seed in range(4) for step in range(60))
    assert ledger.journal.backlog() == 0


def test_nodes_do_not_wait_for_each_others_claims(postgres: PostgresServer) -> None:
    postgres.psql("CREATE DATABASE claiming")
    ledger = open_ledger(postgres.get_uri("claiming"))
    commit(ledger, 1)
    with ledger.database.write() as claiming:
        claiming.exec_driver_sql("SELECT sequence FROM journal FOR UPDATE")
        assert ledger.journal.claim(MANY, {}) == []
        commit(ledger, 2)
        assert numbers(ledger.journal.claim(MANY, {})) == [[2]]
    assert numbers(ledger.journal.claim(MANY, {}, left_behind=False)) == [[1]]
    ledger.close()
