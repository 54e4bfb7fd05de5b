"""What workspaces may have of inbound mail, and what they had of it week by week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, func, select

from mailvane.core.ledger.columns import text_of, value_of
from mailvane.core.ledger.database import Database, Prepared
from mailvane.inbound.model import Team
from mailvane.inbound.store.tables import teams, weeks

WHOLE = ""  # stands for the address where a number is that of the workspace


class WeekKey(NamedTuple):
    """Whose messages are counted: those of an address, or of the workspace as a whole; and of which week."""

    workspace: int
    address: str
    week: int  # its first millisecond


class TeamStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def team(self, workspace: int) -> Team:
        """One without limits where none was saved."""
        wanted = select(teams.c.document).where(teams.c.workspace == workspace)
        with self._database.read() as connection:
            document = connection.execute(wanted).scalar()
        return Team(workspace=workspace) if document is None else value_of(document, Team)

    def save_team(self, team: Team) -> None:
        with self._database.write() as connection:
            row = {"workspace": team.workspace, "document": text_of(team)}
            connection.execute(self._database.upsert(teams), row)

    def used(self, workspace: int, week: int, address: str = WHOLE) -> int:
        """Messages taken in a week, for the workspace or for one address."""
        key = WeekKey(workspace, address, week)
        with self._database.read_often() as connection:
            return counted(connection, [key])[key]

    def weekly(self, workspace: int, since: int) -> list[tuple[int, int]]:
        """Each week that began at this time or later, with what the workspace took in it."""
        wanted = select(weeks.c.week, func.sum(weeks.c.messages)).where(
            weeks.c.workspace == workspace, weeks.c.address == WHOLE, weeks.c.week >= since
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted.group_by(weeks.c.week).order_by(weeks.c.week))
            return [(week, int(messages)) for week, messages in rows]


def counted(connection: Connection, keys: Iterable[WeekKey]) -> Counter[WeekKey]:
    """What was counted so far; zero where nothing was."""
    found: Counter[WeekKey] = Counter()
    for key in keys:
        rows = _COUNTED.rows(connection, key._asdict())
        found[key] = rows[0].messages if rows else 0
    return found


_COUNTED = Prepared(select(weeks.c.messages).where(*(weeks.c[name] == bindparam(name) for name in WeekKey._fields)))


def locked(connection: Connection, database: Database, keys: Iterable[WeekKey]) -> Counter[WeekKey]:
    """Likewise, and nobody else counts on until the transaction ends."""
    ordered = sorted(keys)
    if ordered and not database.is_sqlite:
        rows = [{**key._asdict(), "messages": 0} for key in ordered]
        connection.execute(database.insert(weeks).on_conflict_do_nothing(), rows)
        for key in ordered:
            one = (weeks.c.workspace == key.workspace, weeks.c.address == key.address, weeks.c.week == key.week)
            connection.execute(select(weeks.c.messages).where(*one).with_for_update())
    return counted(connection, ordered)


def count(connection: Connection, database: Database, more: Mapping[WeekKey, int]) -> None:
    """Add to the numbers."""
    rows = [{**key._asdict(), "messages": by} for key, by in sorted(more.items()) if by]
    if rows:
        _counting(database.insert).many(connection, rows)


@cache
def _counting(insert: Callable[[Table], Any]) -> Prepared:
    statement = insert(weeks).values({column.name: bindparam(column.name) for column in weeks.c})
    keys = [column.name for column in weeks.primary_key]
    added = {"messages": weeks.c.messages + statement.excluded.messages}
    return Prepared(statement.on_conflict_do_update(index_elements=keys, set_=added))
