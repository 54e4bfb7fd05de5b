"""Fields of JSON that is kept in a column of text, as SQL expressions for SQLite and PostgreSQL. Knows no table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Float, TableValuedAlias, Text, case, cast, func, literal
from sqlalchemy.dialects.postgresql import JSONB

from mailvane.core.ledger.database import Database


class JsonFields:
    """Of one column."""

    def __init__(self, database: Database, column: ColumnElement[str]) -> None:
        self._is_sqlite = database.is_sqlite
        self._column = column

    def text(self, name: str) -> ColumnElement[str]:
        """Empty where there is no such field, or null."""
        return func.coalesce(self._value(name), literal(""))

    def integer(self, name: str) -> ColumnElement[int]:
        """0 where there is no such field, or null."""
        return func.coalesce(cast(self._value(name), BigInteger), 0)

    def number(self, name: str) -> ColumnElement[float]:
        """0 where there is no such field, or null."""
        return func.coalesce(cast(self._value(name), Float), 0.0)

    def flag(self, name: str) -> ColumnElement[bool]:
        """Whether the field is true."""
        # SQLite reads true out of JSON as 1, PostgreSQL as its name.
        return self.text(name).in_(["1", "true"])

    def elements(self, *path: str) -> TableValuedAlias:
        """The elements of the array at a path, as rows with a `value`: JSON of an object or array, or a plain text.

        No rows where there is no such field, or null. Belongs into FROM, behind the table of the column.
        """
        if self._is_sqlite:
            place = "$" + "".join(f'."{name}"' for name in path)
            arrays = case((func.json_type(self._column, place) == "array", self._column), else_="{}")
            return func.json_each(arrays, place).table_valued("value", joins_implicitly=True)
        found: ColumnElement[Any] = cast(self._column, JSON)
        for name in path:
            found = found[name]
        arrays = case((func.json_typeof(found) == "array", found))
        return func.json_array_elements(arrays).table_valued("value", joins_implicitly=True)

    def without(self, name: str) -> ColumnElement[str]:
        """The column's object without a field, as JSON; its fields come in any order."""
        if self._is_sqlite:
            return func.json_remove(self._column, f'$."{name}"')
        return cast(cast(self._column, JSONB).op("-")(name), Text)

    def _value(self, name: str) -> ColumnElement[str]:
        if self._is_sqlite:
            return cast(func.json_extract(self._column, f'$."{name}"'), Text)
        told: ColumnElement[str] = cast(self._column, JSON)[name].as_string()
        return told
