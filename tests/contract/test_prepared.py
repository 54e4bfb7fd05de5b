"""Many rows by one prepared statement: all of them, in their order, on both ledgers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import StoreUnavailable
from mailvane.core.ledger.database import Prepared, PreparedChoice, unchanged
from mailvane.outbound.store.tables import sender_days
from mailvane.server.ledger import Ledger


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 700])
def test_every_row_is_there_and_of_one_key_the_last(ledger: Ledger, count: int) -> None:
    begin = Prepared(ledger.database.insert(sender_days).on_conflict_do_nothing())
    put = Prepared(ledger.database.upsert(sender_days))
    rows = [{"digest": number.to_bytes(16), "day": 7, "sent": number} for number in range(count)]
    with ledger.database.write() as connection:
        begin.many(connection, [*rows, {**rows[0], "sent": 99}])
        put.many(connection, [{**rows[-1], "sent": 1_000}, {**rows[-1], "sent": 2_000}])
        found = connection.execute(select(sender_days).order_by(sender_days.c.digest)).mappings().all()
    assert [dict(row) for row in found] == [*rows[:-1], {**rows[-1], "sent": 2_000}]


@pytest.mark.parametrize("count", [1, 3, 257])
def test_rows_that_fill_a_statement_up_change_nothing(ledger: Ledger, count: int) -> None:
    new = ledger.database.insert(sender_days)
    more = {"sent": sender_days.c.sent + new.excluded.sent}
    add = Prepared(new.on_conflict_do_update(index_elements=["digest"], set_=more), lambda row: {**row, "sent": 0})
    put = Prepared(ledger.database.upsert(sender_days), unchanged)
    rows: list[dict[str, Any]] = [
        {"digest": number.to_bytes(16), "day": 7, "sent": 1 + number} for number in range(count)
    ]
    with ledger.database.write() as connection:
        put.many(connection, rows)
        add.many(connection, rows)
        found = connection.execute(select(sender_days).order_by(sender_days.c.digest)).mappings().all()
    assert [dict(row) for row in found] == [{**row, "sent": 2 * row["sent"]} for row in rows]


def test_what_is_asked_first_and_what_is_asked_next_see_one_state(ledger: Ledger) -> None:
    digest = bytes(16)
    sent = PreparedChoice(select(sender_days.c.sent).where, sender_days.c.digest)
    put = Prepared(ledger.database.upsert(sender_days), unchanged)
    with ledger.database.write() as connection:
        put.many(connection, [{"digest": digest, "day": 7, "sent": 1}])
    with ledger.database.read() as reading:
        if not ledger.database.is_sqlite:
            reading.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        assert [row.sent for row in sent.rows(reading, [digest])] == [1]
        with ledger.database.write() as writing:
            put.many(writing, [{"digest": digest, "day": 7, "sent": 2}])
        assert [row.sent for row in sent.rows(reading, [digest])] == [1]


def test_what_fails_is_undone_and_told_as_any_other_failure_is(ledger: Ledger) -> None:
    begin = Prepared(ledger.database.insert(sender_days))
    rows = [{"digest": number.to_bytes(16), "day": 7, "sent": 1} for number in (1, 2, 1)]
    with pytest.raises(IntegrityError), ledger.database.write() as connection:
        begin.many(connection, rows)
    with ledger.database.read() as connection:
        assert not connection.execute(select(sender_days)).all()
    missing = Prepared(text("SELECT 1 FROM no_such_table"))
    with pytest.raises(StoreUnavailable), ledger.database.read() as connection:
        missing.rows(connection, {})
