"""What the mail log is made of, and what is gone of it since it was last looked at. Pure: values and their comparison.

A part covers the blocks that were inserted as `first` to `last`. Merging joins parts to one that covers the blocks of
all; a change of rows keeps the range. So a range that was covered stays covered, unless all rows in it expired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

EVENTS = "events"
VIEWS = frozenset(
    {"deliveries", "reactions", "mails", "engagement", "received", "waiting", "hourly", "queue_ids", "message_ids"}
)
# Rows that sum to zero vanish, and in the end the part: nothing can be said of this one.
VANISHING = frozenset({"waiting"})
_MARGIN = 86_400  # seconds: clocks differ, and what is about to expire is not missed


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Rows that lie together."""

    partition: str
    first: int  # number of a block of rows, in the order of inserting
    last: int
    rows: int
    size: int  # bytes
    expires_first: int = 0  # in seconds since the epoch; 0: nothing in it expires
    expires_last: int = 0


class TableParts(msgspec.Struct, frozen=True):
    """A table of one server. One that is made anew counts its blocks anew."""

    made: str  # the engine's id of the table
    parts: tuple[Part, ...] = ()


Inventory = Mapping[str, Mapping[str, TableParts]]
"""By server, then by table."""


class Loss(msgspec.Struct, frozen=True):
    """A part that was there and is not."""

    server: str
    table: str
    made: str
    part: Part  # without blocks: rows that are too few in the whole partition


class Record(msgspec.Struct, frozen=True):
    """What was there when it was last looked at, and what was known to be gone."""

    inventory: dict[str, dict[str, TableParts]] = {}
    losses: tuple[Loss, ...] = ()


def losses(record: Record, present: Inventory, now: int) -> tuple[Loss, ...]:
    """What is gone; now in ms. Servers that are not asked now are passed over."""
    seconds = now // 1000
    still = [loss for loss in record.losses if not _over(loss, present, seconds)]
    known = {(loss.server, loss.table, loss.part) for loss in still}
    for server, tables in record.inventory.items():
        for table, before in tables.items():
            if server in present and table not in VANISHING:
                after = present[server].get(table, TableParts(""))
                still += [
                    Loss(server, table, before.made, part)
                    for part in _gone(table, before, after, seconds)
                    if (server, table, part) not in known
                ]
    return tuple(still)


def describe_losses(found: Sequence[Loss]) -> str:
    """One line of text: what is gone, and what to do."""
    kinds = [
        (table, sum(loss.part.rows for loss in found if loss.table == table))
        for table in sorted({loss.table for loss in found}, key=lambda table: (table != EVENTS, table))
    ]
    gone = ", ".join(f"{rows:,} rows of {table} ({_partitions(found, table)})" for table, rows in kinds)
    if any(loss.table == EVENTS for loss in found):
        advice = (
            "`mailvane restore` a backup into a new data directory, or go on with what is left:"
            " `mailvane doctor --accept-loss`"
        )
    else:
        advice = "`mailvane rebuild` makes them anew from the events"
    return f"the mail log is damaged, it lacks what it had: {gone}; {advice}"


def _partitions(found: Iterable[Loss], table: str) -> str:
    return ", ".join(sorted({loss.part.partition for loss in found if loss.table == table}))


def _over(loss: Loss, present: Inventory, now: int) -> bool:
    """Whether it would have expired by now, or just this part was put back."""
    if _expired(loss.part, now):
        return True
    here = present.get(loss.server, {}).get(loss.table)
    if here is None or here.made != loss.made or not loss.part.size:
        return False
    wanted = (loss.part.first, loss.part.last, loss.part.rows, loss.part.size)
    return any((part.first, part.last, part.rows, part.size) == wanted for part in here.parts)


def _gone(table: str, before: TableParts, after: TableParts, now: int) -> Iterable[Part]:
    for partition in sorted({part.partition for part in before.parts}):
        known = [part for part in before.parts if part.partition == partition and not _expired(part, now)]
        here = [part for part in after.parts if part.partition == partition]
        if after.made == before.made:
            gone = [part for part in known if not _covered(part, here)]
        else:
            # It was restored by other means, or made anew. Rows of views may have been joined meanwhile.
            gone = [] if any(part.rows for part in here) else known
        yield from gone
        if table == EVENTS and not gone:
            # Rows of events are never joined: there are no fewer than there were, except those that expired.
            least = sum(part.rows for part in known if not part.expires_first or part.expires_first > now + _MARGIN)
            short = least - sum(part.rows for part in here)
            if short > 0:
                yield Part(partition, 0, 0, short, 0)


def _expired(part: Part, now: int) -> bool:
    return 0 < part.expires_last <= now + _MARGIN


def _covered(part: Part, here: Sequence[Part]) -> bool:
    """By one part, or by those of before a merge whose result was torn by a power cut."""
    if any(each.rows and each.first <= part.first and part.last <= each.last for each in here):
        return True
    inside = sum(each.rows for each in here if part.first <= each.first and each.last <= part.last)
    return inside >= part.rows


class KeptRecord(msgspec.Struct, frozen=True):
    """The record of what the mail log was made of, and which revision of it this is; 0: none was ever kept."""

    revision: int
    changing_until: int  # until then somebody rewrites what is stored, and nobody else compares; 0: nobody
    record: Record
