"""Exact numbers that are kept with every change, so that no list is counted when it is asked for.

`what` is `message` for all messages and `message:STATUS` for those of a status, by stretches of ten minutes of their
arrival; likewise `contact` and `contact:STATE`, in the one stretch 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, bindparam, func, literal, select, text

from mailvane.core.ledger.database import Database, Prepared
from mailvane.core.moments import MINUTE_MS
from mailvane.inbound.model import ContactState, MessageStatus
from mailvane.inbound.store.tables import tallies

STRETCH_MS = 10 * MINUTE_MS
_STRETCHES_OF_A_DAY = 144
MESSAGES = "message"
CONTACTS = "contact"


class TallyKey(NamedTuple):
    """What a number counts."""

    workspace: int
    what: str
    stretch: int = 0


class Place(NamedTuple):
    """Where a row of a list is found: rows of this stretch, behind so many that are in the order before it."""

    stretch: int
    skip: int  # rows of the stretch before it
    rows: int  # of the stretch


def of_messages(status: MessageStatus | None) -> str:
    return MESSAGES if status is None else f"{MESSAGES}:{status.value}"


def of_contacts(state: ContactState | None) -> str:
    return CONTACTS if state is None else f"{CONTACTS}:{state.value}"


def count_message(changes: Counter[TallyKey], workspace: int, received_at: int, status: MessageStatus, by: int) -> None:
    """Note that there are so many more of it."""
    stretch = received_at // STRETCH_MS
    changes[TallyKey(workspace, of_messages(None), stretch)] += by
    changes[TallyKey(workspace, of_messages(status), stretch)] += by


def add(connection: Connection, database: Database, changes: Mapping[TallyKey, int]) -> None:
    """Bring the numbers up to date, in one order everywhere, so that two transactions never wait for each other."""
    rows = [{**key._asdict(), "count": by} for key, by in sorted(changes.items()) if by]
    if not rows:
        return
    _adding(database.insert).many(connection, rows)


@cache
def _adding(insert: Callable[[Table], Any]) -> Prepared:
    statement = insert(tallies).values({column.name: bindparam(column.name) for column in tallies.c})
    keys = [column.name for column in tallies.primary_key]
    more = {"count": tallies.c.count + statement.excluded.count}
    return Prepared(statement.on_conflict_do_update(index_elements=keys, set_=more))


def total(connection: Connection, workspace: int, whats: Collection[str]) -> int:
    """Of all of them together; they must not overlap."""
    wanted = select(func.coalesce(func.sum(tallies.c.count), 0)).where(*_named(workspace, whats))
    return int(connection.execute(wanted).scalar_one())


def by_what(connection: Connection, workspace: int, whats: Collection[str]) -> dict[str, int]:
    """Each number by its name; those that are zero are missing."""
    wanted = select(tallies.c.what, func.sum(tallies.c.count)).where(*_named(workspace, whats)).group_by(tallies.c.what)
    return {what: int(count) for what, count in connection.execute(wanted) if count}


def place(
    connection: Connection, workspace: int, whats: Collection[str], offset: int, *, ascending: bool
) -> Place | None:
    """Where the row of that offset is in the order of arrival; None behind the last."""
    days = _sums(connection, workspace, whats, tallies.c.stretch // literal(_STRETCHES_OF_A_DAY, BigInteger))
    day = _where(days, offset, ascending=ascending)
    if day is None:
        return None
    begin = day.stretch * _STRETCHES_OF_A_DAY
    inside = (tallies.c.stretch >= begin, tallies.c.stretch < begin + _STRETCHES_OF_A_DAY)
    return _where(_sums(connection, workspace, whats, tallies.c.stretch, *inside), day.skip, ascending=ascending)


def _sums(
    connection: Connection,
    workspace: int,
    whats: Collection[str],
    part: ColumnElement[int],
    *inside: ColumnElement[bool],
) -> dict[int, int]:
    """Numbers by parts of time. Summed twice, by days and then within one, no row is sorted and few are fetched."""
    wanted = select(part.label("part"), func.sum(tallies.c.count).label("rows")).where(
        *_named(workspace, whats), *inside
    )
    return {int(row.part): int(row.rows) for row in connection.execute(wanted.group_by(text("part")))}


def _where(sums: Mapping[int, int], offset: int, *, ascending: bool) -> Place | None:
    for part in sorted(sums, reverse=not ascending):
        if offset < sums[part]:
            return Place(part, offset, sums[part])
        offset -= sums[part]
    return None


def _named(workspace: int, whats: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (tallies.c.workspace == workspace, tallies.c.what.in_(sorted(whats)))
