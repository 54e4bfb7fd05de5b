"""Exact numbers that are kept with every change, so that no list is counted when it is asked for.

`what` is `message` for all messages and `message:STATUS` for those of a status, by stretches of ten minutes of their
arrival; with `/day` behind it, by days, and with `/score`, by eighths of their score. Likewise `contact` and
`contact:STATE`, in the one stretch 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cache
from math import floor, inf
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select

from mailvane.core.ledger.database import Database, Prepared
from mailvane.core.moments import MINUTE_MS
from mailvane.inbound.model import ContactState, Message, MessageStatus
from mailvane.inbound.store.tables import tallies

STRETCH_MS = 10 * MINUTE_MS
UNSCORED = -1_000_000  # the stretch of messages without a score
_STRETCHES_OF_A_DAY = 144
_EIGHTHS = 8  # of a score: by a power of two, so that no number is rounded
_FARTHEST = 80_000  # stretches of scores; the first and the last hold what lies beyond
_DAY, _SCORE = "/day", "/score"
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


def count_message(changes: Counter[TallyKey], message: Message, by: int) -> None:
    """Note that there are so many more that are like it."""
    stretch = message.received_at // STRETCH_MS
    for what in (of_messages(None), of_messages(message.status)):
        changes[TallyKey(message.workspace, what, stretch)] += by
        changes[TallyKey(message.workspace, what + _DAY, stretch // _STRETCHES_OF_A_DAY)] += by
        changes[TallyKey(message.workspace, what + _SCORE, score_stretch(message.score))] += by


def score_stretch(score: float | None) -> int:
    if score is None:
        return UNSCORED
    return floor(max(-_FARTHEST, min(score * _EIGHTHS, _FARTHEST)))


def score_bounds(stretch: int) -> tuple[float, float]:
    """From which score to below which one."""
    first = stretch / _EIGHTHS if stretch > -_FARTHEST else -inf
    return first, (stretch + 1) / _EIGHTHS if stretch < _FARTHEST else inf


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
    return sum(by_what(connection, workspace, whats).values())


def by_what(connection: Connection, workspace: int, whats: Collection[str]) -> dict[str, int]:
    """Each number by its name; those that are zero are missing."""
    summed = {what + _DAY if what.startswith(MESSAGES) else what: what for what in whats}
    named = _named(workspace, summed)
    wanted = select(tallies.c.what, func.sum(tallies.c.count)).where(*named).group_by(tallies.c.what)
    return {summed[what]: int(count) for what, count in connection.execute(wanted) if count}


def place(
    connection: Connection, workspace: int, whats: Collection[str], offset: int, *, ascending: bool
) -> Place | None:
    """Where the message of that offset is in the order of arrival; None behind the last."""
    day = _where(_sums(connection, workspace, [what + _DAY for what in whats]), offset, ascending=ascending)
    if day is None:
        return None
    begin = day.stretch * _STRETCHES_OF_A_DAY
    inside = (tallies.c.stretch >= begin, tallies.c.stretch < begin + _STRETCHES_OF_A_DAY)
    return _where(_sums(connection, workspace, whats, *inside), day.skip, ascending=ascending)


def place_by_score(
    connection: Connection, workspace: int, whats: Collection[str], offset: int, *, ascending: bool
) -> Place | None:
    """Where it is in the order of scores, in which what has none comes last either way."""
    sums = _sums(connection, workspace, [what + _SCORE for what in whats])
    unscored = sums.pop(UNSCORED, 0)
    if (found := _where(sums, offset, ascending=ascending)) is not None:
        return found
    skip = offset - sum(sums.values())
    return Place(UNSCORED, skip, unscored) if skip < unscored else None


def _sums(
    connection: Connection, workspace: int, whats: Collection[str], *inside: ColumnElement[bool]
) -> dict[int, int]:
    wanted = select(tallies.c.stretch, func.sum(tallies.c.count).label("rows")).where(
        *_named(workspace, whats), *inside
    )
    return {row.stretch: int(row.rows) for row in connection.execute(wanted.group_by(tallies.c.stretch))}


def _where(sums: Mapping[int, int], offset: int, *, ascending: bool) -> Place | None:
    for part in sorted(sums, reverse=not ascending):
        if offset < sums[part]:
            return Place(part, offset, sums[part])
        offset -= sums[part]
    return None


def _named(workspace: int, whats: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (tallies.c.workspace == workspace, tallies.c.what.in_(sorted(whats)))
