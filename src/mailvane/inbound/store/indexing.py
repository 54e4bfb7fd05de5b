"""Indexes the texts of messages, a block of serial numbers at a time, once the block is full. Asked by `searching`.

Nothing of it is in the way of a mail that comes in: what is not indexed yet is read through when it is looked for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, text, update

from mailvane.core.ledger.database import Database, Prepared
from mailvane.core.ledger.tables import workspaces
from mailvane.inbound import text_index
from mailvane.inbound.store.tables import messages, search_blocks, search_postings
from mailvane.inbound.text_index import SIZE

_TEXTS = (messages.c.subject, messages.c.from_address, messages.c.from_name, messages.c.recipient)
_LOCK_MS = 1_000
_REST_SECONDS = 0.002  # others have their turn while a block is read


class SearchIndex:
    """Any number of processes may do the same at once; it is only done in vain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def advance(self) -> bool:
        """Index the next block, if one is full; whether one was. Raises StoreUnavailable."""
        if not self.is_due():
            return False
        for workspace, block in self.begin():
            self.read(workspace, block)
        return True

    def is_due(self) -> bool:
        """Whether a block is full, or begun by a process that was killed. Raises StoreUnavailable."""
        with self._database.read() as connection:
            unfinished = select(search_blocks.c.block).where(search_blocks.c.ready.is_(False)).limit(1)
            return connection.execute(unfinished).first() is not None or _next_full(connection) is not None

    def begin(self) -> list[tuple[int, int]]:
        """The workspaces and blocks that are to be read. From now on, what is removed of them is noted."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                _keep_workspaces(connection)
                # Mails that are being taken in may still get a number of the block; wait for them, and for whoever
                # begins the same. Not for long: mails that come meanwhile wait, too.
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_MS}ms'"))
                connection.execute(text("LOCK TABLE inbound_messages IN SHARE ROW EXCLUSIVE MODE"))
            if (block := _next_full(connection)) is not None:
                connection.execute(insert(search_blocks), _blocks(connection, block))
            begun = select(search_blocks.c.workspace, search_blocks.c.block).where(search_blocks.c.ready.is_(False))
            return [(row.workspace, row.block) for row in connection.execute(begun)]

    def read(self, workspace: int, block: int) -> None:
        """Index a block that was begun. Raises StoreUnavailable."""
        with self._database.read() as connection:
            own = messages.c.serial.between(block * SIZE, (block + 1) * SIZE - 1)
            wanted = select(messages.c.workspace, messages.c.serial, *_TEXTS).where(own)
            found = [
                (serial % SIZE, texts) for owner, serial, *texts in connection.execute(wanted) if owner == workspace
            ]
        read = text_index.indexed(found, lambda: time.sleep(_REST_SECONDS))
        one = search_blocks.c.workspace == workspace, search_blocks.c.block == block
        words = msgspec.json.encode(read.words).decode()
        done = update(search_blocks).where(*one, search_blocks.c.ready.is_(False)).values(ready=True, words=words)
        rows = [{"workspace": workspace, "block": block, "key": key, "places": places} for key, places in read.places]
        with self._database.write() as connection:
            _keep_workspaces(connection, workspaces.c.id == workspace)
            if not connection.execute(done).rowcount:
                return  # all of it was removed meanwhile, or another process was faster
            those = search_postings.c.workspace == workspace, search_postings.c.block == block
            connection.execute(delete(search_postings).where(*those))
            if rows:
                _KEEP.many(connection, rows)


def _keep_workspaces(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Within a transaction: nobody removes these until its end. Whoever does so locks them before all that is theirs;
    to wait for him only later, with locks of our own, could be to wait for each other."""
    connection.execute(select(workspaces.c.id).where(*which).with_for_update(read=True, key_share=True)).all()


def _next_full(connection: Connection) -> int | None:
    """The first block that is not begun and will have no more messages."""
    newest = connection.execute(select(func.max(search_blocks.c.block))).scalar()
    behind = 0 if newest is None else (newest + 1) * SIZE
    first = connection.execute(select(func.min(messages.c.serial)).where(messages.c.serial >= behind)).scalar()
    last = connection.execute(select(func.max(messages.c.serial))).scalar()
    if first is None or last is None or last // SIZE == first // SIZE:
        return None
    return int(first // SIZE)


def _blocks(connection: Connection, block: int) -> list[dict[str, object]]:
    """A row for each workspace that has messages in it."""
    own = messages.c.serial.between(block * SIZE, (block + 1) * SIZE - 1)
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in connection.execute(select(messages.c.workspace, messages.c.serial, messages.c.received_at).where(own)):
        found[row.workspace].append((row.serial % SIZE, row.received_at))
    return [
        {
            "workspace": workspace, "block": block, "live": text_index.packed([place for place, _ in those]),
            "first_at": min(at for _, at in those), "last_at": max(at for _, at in those), "words": "[]",
            "ready": False,
        }
        for workspace, those in sorted(found.items())
    ]  # fmt: skip


def forget(connection: Connection, removed: Iterable[tuple[int, int]]) -> None:
    """Within a transaction, after messages of these workspaces and serials were removed: no block tells of them.

    Not before: a block that is begun meanwhile waits for the removal, or the removal for it.
    """
    gone: defaultdict[tuple[int, int], int] = defaultdict(int)
    for workspace, serial in removed:
        gone[workspace, serial // SIZE] |= 1 << serial % SIZE
    for (workspace, block), bits in sorted(gone.items()):
        _clear(connection, workspace, block, bits)


def _clear(connection: Connection, workspace: int, block: int, gone: int) -> None:
    one = search_blocks.c.workspace == workspace, search_blocks.c.block == block
    kept = connection.execute(select(search_blocks.c.live).where(*one).with_for_update()).scalar()
    if kept is None:
        return
    if left := text_index.bits_of(kept) & ~gone:
        connection.execute(update(search_blocks).where(*one).values(live=text_index.bits_packed(left)))
        return
    connection.execute(delete(search_blocks).where(*one))
    connection.execute(
        delete(search_postings).where(search_postings.c.workspace == workspace, search_postings.c.block == block)
    )


_KEEP = Prepared(insert(search_postings).values({each.name: bindparam(each.name) for each in search_postings.c}))
