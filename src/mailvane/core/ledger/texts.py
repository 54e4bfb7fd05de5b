"""Texts compared character by character on SQLite and PostgreSQL, whatever collation a database has. Knows no table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import JSON, ColumnElement, Text, cast, collate, func, literal, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import plain


class Texts:
    """Expressions for one database."""

    def __init__(self, database: Database) -> None:
        self._is_sqlite = database.is_sqlite

    def holds(self, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
        """Whether the part stands in it, in exactly these letters."""
        find = func.instr if self._is_sqlite else func.strpos
        return find(column, plain(part)) > 0

    def ordered(self, column: ColumnElement[str], descending: bool = False) -> ColumnElement[Any]:
        """By code points, as Python sorts."""
        bytewise = collate(column, "BINARY" if self._is_sqlite else "C")
        return bytewise.desc() if descending else bytewise.asc()

    def is_one_of(self, column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
        """Of any number of values: one parameter carries them all."""
        listed = msgspec.json.encode(sorted(plain(value) for value in values)).decode()
        if self._is_sqlite:
            return column.in_(select(func.json_each(listed).table_valued("value").c.value))
        array = cast(literal(listed, Text), JSON)
        return column.in_(select(func.json_array_elements_text(array).column_valued()))
