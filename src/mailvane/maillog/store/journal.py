"""The journal in the ledger: sources' progress, mails in flight, and batches on their way to the mail log.

It does not carry batches anywhere; it only never forgets one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, text, update

from mailvane.core.errors import InvalidInput, SourceMoved, StoreTooNew
from mailvane.core.ledger.database import Database, Prepared
from mailvane.maillog.model import (
    BlockInProgress,
    ColumnBatch,
    EventBatch,
    JournalEntry,
    MailEvent,
    PendingBatch,
    SourceCursor,
    rows_of,
)
from mailvane.maillog.store.bundling import SMALL_EVENTS, Waiting, bundles, joined, within
from mailvane.maillog.store.tables import blocks, cursors, event_ids, in_flight, journal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FORM = b"\x01"  # MessagePack of EventBatch, Zstandard
_COLUMNS = b"\x02"  # likewise of ColumnBatch
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EventBatch)
_column_decoder = msgspec.msgpack.Decoder(ColumnBatch)


def pack(batch: EventBatch) -> bytes:
    try:
        return (_COLUMNS if isinstance(batch, ColumnBatch) else _FORM) + zstd.compress(_encoder.encode(batch), 1)
    except UnicodeEncodeError:
        raise InvalidInput("an event carries text that is not Unicode") from None


def unpack(payload: bytes) -> EventBatch:
    if payload[:1] == _COLUMNS:
        return _column_decoder.decode(zstd.decompress(payload[1:]))
    if payload[:1] != _FORM:
        raise StoreTooNew("the journal holds a batch in a form that this version does not know")
    return _decoder.decode(zstd.decompress(payload[1:]))


_PRUNE_AT_ONCE = 20_000
_GIVEN_SQLITE = text("SELECT seq FROM sqlite_sequence WHERE name = 'journal'")
_GIVEN_POSTGRESQL = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM journal_sequence_seq")
# A claim keeps other writers waiting, and reading back so many small batches takes about a tenth of a second.
_CLAIM_ROWS = 4_000


# Of a transaction, a workspace and its new events: what other rooms keep of them.
Noticed = Callable[[Connection, int, Sequence[MailEvent]], None]


def _unnoticed(_connection: Connection, _workspace: int, _events: Sequence[MailEvent]) -> None:
    pass


class JournalStore:
    """Exactly once, for any number of threads and processes on one ledger."""

    def __init__(self, database: Database, noticed: Noticed = _unnoticed) -> None:
        """`noticed` is given, within the transaction that records them, the events of a workspace that are new."""
        self._database = database
        self._noticed = noticed

    def head(self) -> tuple[int, int]:
        """How many batches any process has ever put into it, and how many of them wait: alike while nothing happens."""
        with self._database.read() as connection:
            given = connection.execute(_GIVEN_SQLITE if self._database.is_sqlite else _GIVEN_POSTGRESQL).scalar()
            waiting = connection.execute(select(func.count()).select_from(journal)).scalar_one()
        return int(given or 0), waiting

    def cursors(self, stream: str) -> list[SourceCursor]:
        """Every file of a stream that was ever read."""
        with self._database.read() as connection:
            rows = connection.execute(select(cursors).where(cursors.c.stream == stream).order_by(cursors.c.file))
            return [SourceCursor(**row) for row in rows.mappings()]

    def in_flight(self, stream: str) -> Iterable[tuple[str, bytes]]:
        """The state of the stream's mails in flight, as last committed."""
        wanted = select(in_flight.c.key, in_flight.c.state).where(in_flight.c.stream == stream)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(in_flight.c.key)).all()
        return [(row.key, row.state) for row in rows]

    def blocks(self, stream: str) -> list[BlockInProgress]:
        """What of a stream was being stored when a process died, by file."""
        wanted = select(blocks.c.file, blocks.c.start, blocks.c.end).where(blocks.c.stream == stream)
        with self._database.read() as connection:
            return [BlockInProgress(*row) for row in connection.execute(wanted.order_by(blocks.c.file))]

    def begin(self, entry: JournalEntry) -> bool:
        """Note, durably, which bytes are going to be stored: until they are committed, nobody cuts them otherwise.

        True if that was noted before, so that they may be stored already, or in part.
        Raises SourceMoved when the cursor is not where the entry begins, or others have begun to store other bytes.
        """
        cursor = entry.cursor
        if cursor is None:
            raise InvalidInput("bytes of a file have a cursor")
        own = (cursors.c.stream == cursor.stream) & (cursors.c.file == cursor.file)
        row = {"stream": cursor.stream, "file": cursor.file, "start": entry.follows, "end": cursor.offset}
        with self._database.write() as connection:
            here = connection.execute(select(cursors.c.offset).where(own)).scalar()
            if (here or 0) != entry.follows:
                raise SourceMoved
            before = self._was_begun(connection, cursor, entry)
            connection.execute(self._database.upsert(blocks), row)
        return before

    def _was_begun(self, connection: Connection, cursor: SourceCursor, entry: JournalEntry) -> bool:
        """Whether somebody began to store these bytes. Whoever reads on is to cut them likewise. Raises SourceMoved."""
        own = (blocks.c.stream == cursor.stream) & (blocks.c.file == cursor.file) & (blocks.c.start == entry.follows)
        end = connection.execute(select(blocks.c.end).where(own).with_for_update()).scalar()
        if end is not None and end != cursor.offset and not entry.instead:
            raise SourceMoved
        return end == cursor.offset

    def commit(self, entry: JournalEntry, now: int, stored: Sequence[MailEvent] = ()) -> PendingBatch | None:
        """Make it durable, in one transaction. None when no event was left to carry.

        `stored`: events that the entry is behind, and that are in the mail log already.
        Raises SourceMoved when the cursor is not where the entry begins: somebody else has read those lines.
        """
        if entry.cursor is None and (entry.opened or entry.closed):
            raise InvalidInput("mails in flight belong to a stream: the entry needs a cursor")
        if entry.event_ids is not None and len(entry.event_ids) != len(entry.batch.events):
            raise InvalidInput("every event needs its id, or none")
        # Packing before the transaction keeps the lock short; only a batch with repeated events is packed again.
        payload = pack(entry.batch) if rows_of(entry.batch) else b""
        with self._database.write() as connection:
            batch = self._unseen(connection, entry, now)
            again = self._move_on(connection, entry)
            self._noticed(connection, batch.workspace, stored or batch.events)
            if not rows_of(batch):
                return None
            row = _row(batch, now, payload if batch is entry.batch else pack(batch), claimed=again)
            sequence = connection.execute(insert(journal).values(row).returning(journal.c.sequence)).scalar_one()
        return PendingBatch(sequence, batch)

    def pending(self, limit: int) -> Sequence[PendingBatch]:
        """The oldest batches that are not settled, claimed or not."""
        wanted = select(journal.c.sequence, journal.c.payload).order_by(journal.c.sequence).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return [PendingBatch(row.sequence, unpack(row.payload)) for row in rows]

    def claim(
        self,
        limit: int,
        held: Mapping[int, PendingBatch],
        left_behind: bool = True,
        without: Collection[int] = (),
    ) -> Sequence[PendingBatch]:
        """Make the oldest batches ready to be carried, durably; up to so many events, but one batch at least.

        Small ones of one workspace become one. `left_behind`: those that were claimed before come first, exactly as
        they are, except the sequences `without`; somebody else may be carrying them, too. What is `held` is not read.
        """
        with self._database.read() as connection:
            # Most looks find nothing, and need not make writers wait.
            if not _waiting(connection, _oldest(1, left_behind, without), without):
                return []
        with self._database.write() as connection:
            # What another node's claim is taking at this moment is that node's.
            oldest = _oldest(limit, left_behind, without).with_for_update(skip_locked=True)
            waiting = within(_waiting(connection, oldest, without), limit)
            batches = _batches(connection, [row.sequence for row in waiting], held)
            # Each group as one batch that will never change again.
            groups = bundles(waiting)
            alone = [group[0] for group in groups if len(group) == 1]
            several = [group for group in groups if len(group) > 1]
            fresh = [row.sequence for row in alone if not row.claimed]
            if fresh:
                connection.execute(update(journal).where(journal.c.sequence.in_(fresh)).values(claimed=True))
            found = [
                PendingBatch(row.sequence, batches[row.sequence], () if row.claimed else (row.sequence,))
                for row in alone
            ]
            return found + _joined(connection, several, batches)

    def settle(self, sequences: Sequence[int]) -> None:
        """Forget batches that the mail log has stored."""
        if not sequences:
            return
        statement = delete(journal).where(journal.c.sequence == bindparam("settled"))
        with self._database.write() as connection:
            connection.execute(statement, [{"settled": sequence} for sequence in sorted(sequences)])

    def backlog(self) -> int:
        """How many batches are pending."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(journal)).scalar_one()

    def pending_since(self) -> int | None:
        """When the oldest pending batch was committed; None when none is pending."""
        with self._database.read() as connection:
            oldest: int | None = connection.execute(select(func.min(journal.c.committed_at))).scalar_one()
        return oldest

    def prune(self, before: int) -> int:
        """Forget event ids first seen before a time; how many. An event that is sent again after that counts again."""
        old = select(event_ids.c.workspace, event_ids.c.digest).where(event_ids.c.seen_at < before)
        own = (event_ids.c.workspace == bindparam("w")) & (event_ids.c.digest == bindparam("d"))
        pruned = 0
        while True:
            with self._database.write() as connection:
                rows = connection.execute(old.limit(_PRUNE_AT_ONCE)).all()
                if not rows:
                    return pruned
                ordered = sorted(({"w": row.workspace, "d": row.digest} for row in rows), key=lambda row: row["d"])
                connection.execute(delete(event_ids).where(own), ordered)
            pruned += len(rows)

    def _unseen(self, connection: Connection, entry: JournalEntry, now: int) -> EventBatch:
        """The batch without the events whose id was seen before, in this batch or in any other."""
        if not entry.event_ids:
            return entry.batch
        digests = [
            blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=16).digest() for event_id in entry.event_ids
        ]
        new = self._first_seen(connection, entry.batch.workspace, set(digests), now)
        fresh = []
        for digest, event in zip(digests, entry.batch.events, strict=True):
            if digest in new:
                new.remove(digest)
                fresh.append((digest, event))
        if len(fresh) == len(digests):
            return entry.batch
        # What is left is another batch: under the old token the mail log might take it for one that it has.
        survivors = blake2b(b"".join(digest for digest, _ in fresh), digest_size=16).hexdigest()
        token = f"{entry.batch.token}/{survivors}"
        return msgspec.structs.replace(entry.batch, token=token, events=[event for _, event in fresh])

    def _first_seen(self, connection: Connection, workspace: int, digests: set[bytes], now: int) -> set[bytes]:
        """Those of the digests that are new. Another writer of the same ones waits for this transaction."""
        statement = self._database.insert(event_ids).on_conflict_do_nothing().returning(event_ids.c.digest)
        # In one order everywhere, so that two transactions never wait for each other.
        rows = [{"workspace": workspace, "digest": digest, "seen_at": now} for digest in sorted(digests)]
        return set(connection.execute(statement, rows).scalars())

    def _move_on(self, connection: Connection, entry: JournalEntry) -> bool:
        """Whether these bytes were begun to be stored before."""
        if entry.cursor is None:
            return False
        stream = entry.cursor.stream
        again = self._was_begun(connection, entry.cursor, entry)
        self._advance(connection, entry.cursor, entry.follows)
        done = (blocks.c.stream == stream) & (blocks.c.file == entry.cursor.file)
        connection.execute(delete(blocks).where(done))
        if entry.opened:
            states = [{"stream": stream, "key": key, "state": state} for key, state in sorted(entry.opened)]
            connection.execute(self._database.upsert(in_flight), states)
        if entry.closed:
            own = (in_flight.c.stream == stream) & (in_flight.c.key == bindparam("gone"))
            connection.execute(delete(in_flight).where(own), [{"gone": key} for key in sorted(entry.closed)])
        return again

    def _advance(self, connection: Connection, cursor: SourceCursor, follows: int) -> None:
        """Compare and set: of several that read on from one place, one moves the cursor; others get SourceMoved."""
        row = msgspec.structs.asdict(cursor)
        if follows:
            own = (cursors.c.stream == cursor.stream) & (cursors.c.file == cursor.file)
            statement = update(cursors).where(own, cursors.c.offset == follows).values(row)
        else:
            statement = self._database.upsert(cursors, cursors.c.offset == 0).values(row)
        if connection.execute(statement.returning(cursors.c.offset)).first() is None:
            raise SourceMoved


_POST = Prepared(
    insert(journal)
    .values({column.name: bindparam(column.name) for column in journal.c if column.name != "sequence"})
    .inline()
)


class PackedBatch(NamedTuple):
    """One that has events, and what the journal keeps of it."""

    batch: EventBatch
    payload: bytes


def post(connection: Connection, batches: Sequence[PackedBatch], now: int) -> None:
    """Within another room's transaction: keep events beside what they tell of. The `Recorder` is to be told then."""
    if batches:
        _POST.many(connection, [_row(batch, now, payload, claimed=False) for batch, payload in batches])


def _row(batch: EventBatch, committed_at: int, payload: bytes, *, claimed: bool) -> dict[str, Any]:
    return {
        "committed_at": committed_at,
        "workspace": batch.workspace,
        "retention_days": batch.retention_days,
        # Columns stay alone: they are never joined with others, however few they are.
        "events": max(batch.rows, SMALL_EVENTS + 1) if isinstance(batch, ColumnBatch) else len(batch.events),
        "claimed": claimed,
        "payload": payload,
    }


def _oldest(limit: int, left_behind: bool, without: Collection[int]) -> Select[Any]:
    """Batches have an event each, at least: a limit of events is one of batches, too."""
    rows = min(limit, _CLAIM_ROWS)
    wanted = select(*(journal.c[name] for name in Waiting.__struct_fields__))
    if left_behind:
        return wanted.order_by(journal.c.claimed.desc(), journal.c.sequence).limit(rows + len(without))
    return wanted.where(~journal.c.claimed).order_by(journal.c.sequence).limit(rows)


def _waiting(connection: Connection, wanted: Select[Any], without: Collection[int]) -> list[Waiting]:
    rows = [Waiting(*row) for row in connection.execute(wanted)]
    return [row for row in rows if row.sequence not in without]


def _batches(
    connection: Connection, sequences: Sequence[int], held: Mapping[int, PendingBatch]
) -> dict[int, EventBatch]:
    known = {sequence: held[sequence].batch for sequence in sequences if sequence in held}
    missing = [sequence for sequence in sequences if sequence not in held]
    if missing:
        rows = connection.execute(select(journal.c.sequence, journal.c.payload).where(journal.c.sequence.in_(missing)))
        known |= {row.sequence: unpack(row.payload) for row in rows}
    return known


def _joined(
    connection: Connection, groups: Sequence[Sequence[Waiting]], batches: Mapping[int, EventBatch]
) -> list[PendingBatch]:
    if not groups:
        return []
    members = [tuple(row.sequence for row in group) for group in groups]
    whole = [joined([batches[sequence] for sequence in sequences]) for sequences in members]
    rows = [
        _row(batch, group[0].committed_at, pack(batch), claimed=True)
        for batch, group in zip(whole, groups, strict=True)
    ]
    connection.execute(delete(journal).where(journal.c.sequence.in_([each for part in members for each in part])))
    made = insert(journal).returning(journal.c.sequence, sort_by_parameter_order=True)
    sequences = connection.execute(made, rows).scalars().all()
    return [PendingBatch(*each) for each in zip(sequences, whole, members, strict=True)]
