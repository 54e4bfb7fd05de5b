"""Content of small mails on their way to a next hop, in the ledger beside their messages.

It is kept in the transaction that keeps the messages, and forgotten in the one that ends them: one sync for both, and
never one without the other. Everything else of content is files (`inbound.content`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select

from mailvane.core.ledger.columns import in_chunks
from mailvane.core.ledger.database import Database, Prepared, PreparedChoice
from mailvane.inbound.model import Message
from mailvane.inbound.store.tables import spool

_AT_ONCE = 256


class SpoolStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def packed(self, content: str) -> bytes | None:
        """By its hash, compressed as it was given; None: no message here has it."""
        wanted = select(spool.c.packed).where(spool.c.content == content).limit(1)
        with self._database.read() as connection:
            found = connection.execute(wanted).scalar()
        return None if found is None else bytes(found)


def keep(connection: Connection, kept: Sequence[tuple[Message, bytes]]) -> None:
    """Within the transaction that keeps the messages: their contents, compressed."""
    rows: list[Mapping[str, Any]] = [
        {"message": message.id, "content": message.content, "packed": packed} for message, packed in kept
    ]
    if rows:
        _KEEP.many(connection, rows)


def drop(connection: Connection, messages: Sequence[str]) -> None:
    """Within the transaction that ends messages, by id: what is here of them."""
    for some in in_chunks(messages, _AT_ONCE):
        _DROP.rows(connection, some)


def _drop(condition: ColumnElement[bool]) -> Any:
    return delete(spool).where(condition).returning(spool.c.message)


_KEEP = Prepared(insert(spool).values({column.name: bindparam(column.name) for column in spool.c}).inline())
_DROP = PreparedChoice(_drop, spool.c.message)
