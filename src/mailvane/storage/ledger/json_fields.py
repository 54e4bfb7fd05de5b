"""Fields of JSON that is kept in a column of text, as SQL expressions for SQLite and PostgreSQL. Knows no table."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ColumnElement, Float, Text, cast, func, literal

from mailvane.storage.ledger.database import Database


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

    def _value(self, name: str) -> ColumnElement[str]:
        if self._is_sqlite:
            return cast(func.json_extract(self._column, f'$."{name}"'), Text)
        told: ColumnElement[str] = cast(self._column, JSON)[name].as_string()
        return told
