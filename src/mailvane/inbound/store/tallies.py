"""Exact numbers that are kept with every change, so that no list is counted when it is asked for.

`what` is `message` for all messages and `message:STATUS` for those of a status, by stretches of ten minutes of their
arrival; likewise `contact` and `contact:STATE`, in the one stretch 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from mailvane.core.ledger.database import Database
from mailvane.core.moments import MINUTE_MS
from mailvane.inbound.model import ContactState, MessageStatus
from mailvane.inbound.store.tables import tallies

STRETCH_MS = 10 * MINUTE_MS
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
    statement = database.insert(tallies)
    keys = [column.name for column in tallies.primary_key]
    more = {"count": tallies.c.count + statement.excluded.count}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=more), rows)


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
    ordered = tallies.c.stretch if ascending else tallies.c.stretch.desc()
    count = func.sum(tallies.c.count)
    summed = (
        select(tallies.c.stretch, count.label("rows"), func.sum(count).over(order_by=ordered).label("until"))
        .where(*_named(workspace, whats))
        .group_by(tallies.c.stretch)
        .subquery()
    )
    order = summed.c.stretch if ascending else summed.c.stretch.desc()
    row = connection.execute(select(summed).where(summed.c.until > offset).order_by(order).limit(1)).one_or_none()
    if row is None:
        return None
    return Place(row.stretch, offset - int(row.until - row.rows), int(row.rows))


def _named(workspace: int, whats: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (tallies.c.workspace == workspace, tallies.c.what.in_(sorted(whats)))
