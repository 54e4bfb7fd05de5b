"""The filters of workspaces, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database, Prepared
from mailvane.inbound.model import Filter
from mailvane.inbound.store.tables import filters


class FilterStore:
    """For any number of threads and processes on one ledger. Positions are 1, 2, 3, … without gaps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def filters(self, workspace: int) -> list[Filter]:
        """In their order, inactive ones too."""
        with self._database.read() as connection:
            return in_order(connection, workspace)

    def filter(self, workspace: int, filter_id: str) -> Filter | None:
        return next((each for each in self.filters(workspace) if each.id == filter_id), None)

    def put(self, rule: Filter) -> Filter:
        """Keep it, new or changed, at its position, and let the others make room."""
        with self._database.write() as connection:
            others = [each for each in in_order(connection, rule.workspace) if each.id != rule.id]
            place = rule.position - 1 if rule.position > 0 else len(others)
            others.insert(place, rule)
            _order(connection, others)
            return next(each for each in in_order(connection, rule.workspace) if each.id == rule.id)

    def reorder(self, workspace: int, ids: Sequence[str]) -> list[Filter]:
        """All of them in this order. Raises InvalidInput unless each is named once."""
        with self._database.write() as connection:
            known = {each.id: each for each in in_order(connection, workspace)}
            if sorted(ids) != sorted(known):
                raise InvalidInput("the order must name every filter once")
            _order(connection, [known[each] for each in ids])
            return in_order(connection, workspace)

    def remove(self, workspace: int, filter_id: str) -> None:
        """Raises NotFound."""
        gone = delete(filters).where(filters.c.workspace == workspace, filters.c.id == plain(filter_id))
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no filter {filter_id}")
            _order(connection, in_order(connection, workspace))


def in_order(connection: Connection, workspace: int) -> list[Filter]:
    """Within a transaction: those of a workspace, inactive ones too."""
    rows = _ORDERED.rows(connection, {"workspace": workspace})
    return [value_of(row.document, Filter) for row in rows]


def _order(connection: Connection, ordered: Sequence[Filter]) -> None:
    """Give each its place in the list, keeping what is new or has changed."""
    for position, each in enumerate(ordered, 1):
        placed = msgspec.structs.replace(each, position=position)
        row = {"id": each.id, "workspace": each.workspace, "position": position, "document": text_of(placed)}
        own = filters.c.workspace == each.workspace, filters.c.id == each.id
        if not connection.execute(update(filters).where(*own).values(row)).rowcount:
            connection.execute(filters.insert().values(row))


_ORDERED = Prepared(
    select(filters.c.document)
    .where(filters.c.workspace == bindparam("workspace"))
    .order_by(filters.c.position, filters.c.id)
)
