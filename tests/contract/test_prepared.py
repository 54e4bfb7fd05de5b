"""Many rows by one prepared statement: all of them, in their order, on both ledgers."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mailvane.core.ledger.database import Prepared
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
