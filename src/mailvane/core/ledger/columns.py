"""Columns of text: values as JSON and the fields of that, and texts compared by characters. For SQLite and PostgreSQL.

Knows no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Select,
    TableValuedAlias,
    Text,
    any_,
    case,
    cast,
    collate,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from mailvane.core.decoding import prepared
from mailvane.core.ledger.database import Database

_T = TypeVar("_T")
_SURROGATES = re.compile("[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(order="deterministic")


def text_of(value: object) -> str:
    """As JSON. What no encoding knows, half a surrogate pair, becomes U+FFFD."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(value))).decode()


def plain(text: str) -> str:
    """As a column of text can hold it: NUL is the one character that PostgreSQL refuses."""
    if type(text) is str and text.isascii() and "\0" not in text:  # nearly every text of a mail
        return text
    return _SURROGATES.sub("\ufffd", text).replace("\0", "\ufffd")


def value_of(text: str, kind: type[_T]) -> _T:
    return msgspec.json.decode(text, type=prepared(kind))


def in_chunks(values: Iterable[_T], size: int) -> Iterator[Sequence[_T]]:
    """A few at a time, so that a stream of any length passes through little memory."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    return value


class _AnyCase(FunctionElement[bool]):
    """A text that is like a pattern, whose letters are of ASCII, in any case."""

    type = Boolean()
    inherit_cache = True


@compiles(_AnyCase)
def _any_case(element: _AnyCase, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's LIKE does not tell the cases of ASCII apart. Its LOWER would be a function of ours, for each row.
    column, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"({column} {'LIKE' if compiler.dialect.name == 'sqlite' else 'ILIKE'} {pattern} ESCAPE '/')"


def contains(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether the part stands in it, in any case."""
    part = plain(part)
    if not part.isascii():
        return column.icontains(part, autoescape=True)
    escaped = part.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return _AnyCase(column, literal(f"%{escaped}%", Text))


class Texts:
    """SQL expressions that compare texts character by character, whatever collation a database has."""

    def __init__(self, database: Database) -> None:
        self._is_sqlite = database.is_sqlite

    def holds(self, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
        """Whether the part stands in it, in exactly these letters."""
        find = func.instr if self._is_sqlite else func.strpos
        return find(column, plain(part)) > 0

    def ordered(self, column: ColumnElement[str], descending: bool = False) -> ColumnElement[Any]:
        """By code points, as Python sorts."""
        bytewise = self.bytewise(column)
        return bytewise.desc() if descending else bytewise.asc()

    def bytewise(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """Compared by code points."""
        return collate(column, "BINARY" if self._is_sqlite else "C")

    def listed(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """All values of the rows, in no order, as a JSON array."""
        if self._is_sqlite:
            return func.json_group_array(column)
        return func.coalesce(cast(func.json_agg(column), Text), "[]")

    def is_one_of(self, column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
        """Of any number of values: one parameter carries them all."""
        listed = sorted(plain(value) for value in values)
        if self._is_sqlite:
            return column.in_(_values_of(listed))
        array = cast(literal(msgspec.json.encode(listed).decode(), Text), JSON)
        return column.in_(select(func.json_array_elements_text(array).column_valued()))


def is_one_of_numbers(database: Database, column: ColumnElement[int], values: Sequence[int]) -> ColumnElement[bool]:
    """Likewise, of numbers."""
    if database.is_sqlite:
        return column.in_(_values_of(values))
    return column == any_(literal(list(values), ARRAY(BigInteger)))


def _values_of(values: Sequence[object]) -> Select[tuple[Any]]:
    """As SQLite reads them from one parameter."""
    return select(func.json_each(msgspec.json.encode(values).decode()).table_valued("value").c.value)


class JsonFields:
    """SQL expressions for fields of the JSON that is kept in one column of text."""

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
        value: ColumnElement[str] = cast(self._column, JSON)[name].as_string()
        return value
