"""Statements whose text is made once: for what is asked of the ledger with every mail.

Values go to the driver as they are, and come back as it gives them; nothing converts them on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam
from sqlalchemy.sql import ClauseElement


class Prepared:
    """One statement, for whichever engine it is given to."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._made: dict[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {}

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute it with each of these."""
        text, placed = self._for(connection)
        connection.exec_driver_sql(text, [placed(row) for row in rows])

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """What it selects."""
        text, placed = self._for(connection)
        return connection.exec_driver_sql(text, placed(values)).all()

    def _for(self, connection: Connection) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
        engine = connection.dialect.name
        if engine not in self._made:
            compiled: Any = self._statement.compile(dialect=connection.dialect)
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            self._made[engine] = (str(compiled), _placing(compiled.positiontup, fixed))
        return self._made[engine]


class PreparedChoice:
    """A select of the rows in which a column has one of some values."""

    def __init__(self, choose: Callable[[ColumnElement[bool]], Select[Any]], column: ColumnElement[Any]) -> None:
        self._choose = choose
        self._column = column
        self._sized = lru_cache(maxsize=None)(self._prepared)

    def rows(self, connection: Connection, values: Sequence[Any]) -> Sequence[Row[Any]]:
        if not values:
            return []
        # The last one repeated changes nothing, and a text for each power of two is enough.
        size = 1 << (len(values) - 1).bit_length()
        named = {f"value_{number}": value for number, value in enumerate(values)}
        named |= {f"value_{number}": values[-1] for number in range(len(values), size)}
        return self._sized(size).rows(connection, named)

    def _prepared(self, size: int) -> Prepared:
        wanted = [bindparam(f"value_{number}", type_=self._column.type) for number in range(size)]
        return Prepared(self._choose(self._column.in_(wanted)))


def _placing(order: Sequence[str] | None, fixed: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """From values by name, with those that the statement itself brings, to what the driver takes."""
    if order is None:
        return lambda row: {**fixed, **row}
    if len(order) == 1:
        return lambda row: (row[order[0]],)
    ordered = itemgetter(*order)
    return (lambda row: ordered({**fixed, **row})) if fixed else ordered
