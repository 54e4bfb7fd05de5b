"""The ledger's connection to SQLite or PostgreSQL: transactions, and foreign errors in Mailvane's words.

Knows both engines' manners and no table.
"""

from __future__ import annotations

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from itertools import chain, repeat
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    CTE,
    URL,
    ColumnClause,
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    column,
    create_engine,
    event,
    make_url,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.schema import Table

from mailvane.core.errors import InvalidInput, InvalidSetting, LedgerDamaged, StoreUnavailable

BUSY_SECONDS = 20
_LOG_BYTES = 64 * 1024 * 1024  # what SQLite's write-ahead log shrinks to after a large import
_CHECKPOINT_PAGES = 4000  # 16 MiB
_WRITES = "mailvane_writes"
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class Database:
    """One ledger's engine. Safe to share between threads; not between a process and its fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})
        self.is_sqlite = engine.dialect.name == "sqlite"
        # Whether what is read waits for nobody: neither for a writer nor for another machine.
        self.reads_at_once = self.is_sqlite
        # SQLite has one writer at a time and lets the others sleep and try: threads do better in a queue of their own.
        self._turn: AbstractContextManager[object] = Lock() if self.is_sqlite else nullcontext()
        self._place = _place(engine.url)
        self.insert = sqlite.insert if self.is_sqlite else postgresql.insert
        self._kept: list[Connection] = []  # that read
        self._writing: Connection | None = None  # in the turn of whoever writes

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def read_often(self) -> Iterator[Connection]:
        """As `read`, for what is asked with every mail. SQLite's connection is kept for the next time: to take one from
        the pool and give it back takes longer than the statements."""
        if not self.is_sqlite:
            with self.read() as connection:
                yield connection
            return
        with self._translated():
            try:
                connection = self._kept.pop()
            except IndexError:
                connection = self._endless()
            with _transaction(connection, "BEGIN", "ROLLBACK"):
                yield connection
            self._kept.append(connection)

    def _endless(self) -> Connection:
        """One whose transactions begin and end without SQLAlchemy, which takes it for one that goes on and on."""
        connection = self.engine.connect()
        connection.begin()
        driver: Any = connection.connection.dbapi_connection
        driver.execute("ROLLBACK")
        return connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block is left, and was never there when it is left by an error."""
        with self._translated(), self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def write_often(self) -> Iterator[Connection]:
        """As `write`, for what is written with every mail: by one connection of SQLite, as in `read_often`."""
        if not self.is_sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._translated(), self._turn:
            connection, self._writing = self._writing or self._endless(), None
            with _transaction(connection, "BEGIN IMMEDIATE", "COMMIT"):
                yield connection
            self._writing = connection

    def upsert(self, table: Table, condition: ColumnElement[bool] | None = None) -> Any:
        """The insert that replaces every other column of a row whose primary key exists, if it fits the condition."""
        statement = self.insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=condition)

    def close(self) -> None:
        while self._kept:
            self._kept.pop().close()
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        self.engine.dispose()

    def unavailable(self, reason: str) -> StoreUnavailable:
        if reason in _DAMAGED:
            return LedgerDamaged(f"the ledger {self._place} is damaged: {reason}")
        return StoreUnavailable(f"the ledger {self._place} does not answer: {reason}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say it in Mailvane's words. Broken constraints pass: only the caller knows what they mean."""
        try:
            yield
        except IntegrityError:
            raise
        except (DataError, OverflowError) as error:
            raise InvalidInput("a value cannot be stored: it is too large or holds a NUL character") from error
        except DBAPIError as error:
            raise self.unavailable(_plain(error)) from error
        except PoolTimeout as error:
            raise self.unavailable("all its connections are busy") from error


def connect(url: str) -> Database:
    """A database for `sqlite:////path` or `postgresql://…`; connects only when first used."""
    parsed = _ledger_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database)).parent
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the ledger does not answer: cannot make {path}: {error.strerror}") from error
        # The last one used comes first: what it has read of the file is good until another one commits.
        engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, pool_use_lifo=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        arguments = {"connect_timeout": 10, "application_name": "mailvane"}
        engine = create_engine(parsed, pool_pre_ping=True, pool_size=8, connect_args=arguments)
        event.listen(engine, "connect", _prepare_postgresql)
    return Database(engine)


def _ledger_url(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername.partition("+")[0]]
    except (ArgumentError, KeyError, ValueError):
        raise InvalidSetting("ledger: expected sqlite:////path/to/file or postgresql://host/database") from None
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise InvalidSetting("ledger: SQLite needs a file, such as sqlite:////var/lib/mailvane/ledger.sqlite")
    return parsed.set(drivername=driver)


def _place(url: URL) -> str:
    """Where it is, without the user, the password and the parameters."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database} on {url.host or url.query.get('host', 'this host')}"


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    # The driver's own habit of opening transactions late would let two writers read the same state.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    # Pages that nearly every transaction changes are written back less often than with SQLite's own 1000.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    # Its own knows the letters of ASCII only.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _prepare_postgresql(connection: Any, _record: ConnectionPoolEntry) -> None:
    # A node that hangs in the middle of a transaction must not make all the others hang.
    connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{3 * BUSY_SECONDS}s'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that starts as a reader cannot wait for another writer: SQLite refuses at once. So lock from the start.
    writes = connection.get_execution_options().get(_WRITES, False)
    with _sqlite_errors("BEGIN IMMEDIATE" if writes else "BEGIN") as statement:
        driver: Any = connection.connection.dbapi_connection
        driver.execute(statement)  # without SQLAlchemy between: every transaction begins so


_DAMAGED = ("file is not a database", "database disk image is malformed")  # SQLITE_NOTADB, SQLITE_CORRUPT


def _plain(error: DBAPIError) -> str:
    """One line of text, without the statement, its values or the address (which may hold a password)."""
    text = str(error.orig).strip()
    lowered = text.lower()
    if "disk is full" in lowered or "no space left" in lowered or "diskfull" in type(error.orig).__name__.lower():
        return "its disk is full"
    if "database is locked" in lowered or "lock timeout" in lowered:
        return f"another process has kept it locked for {BUSY_SECONDS} seconds"
    return text.splitlines()[0] if text else type(error.orig).__name__


# Statements whose text is made once: for what is asked of the ledger with every mail.
#
# Values go to the driver as they are, and come back as it gives them; nothing converts them on the way. SQLite's driver
# is called without SQLAlchemy between: that costs more than SQLite itself does.

Values = Mapping[str, Any]
_named_tuple: Any = namedtuple


def unchanged(row: Values) -> Values:
    return row


def rows_given(*names: str) -> CTE:
    """Rows of values, with names, for one statement of SQLite that changes a row of a table for each of them."""
    columns: list[ColumnClause[Any]] = [column(name) for name in names]
    return values(*columns, name="given").data([tuple(bindparam(name) for name in names)]).cte("given")


class Prepared:
    """One statement, for whichever engine it is given to."""

    def __init__(
        self,
        statement: ClauseElement,
        filler: Callable[[Values], Values] | None = None,
        sqlite_statement: ClauseElement | None = None,
    ) -> None:
        """`filler` makes, of the last row, one that changes nothing after it: SQLite is given a few of them, so that
        there are few sizes of statements. `sqlite_statement`: what says the same for many rows there."""
        self._statement = statement
        self._filler = filler
        self._sqlite_statement = sqlite_statement
        self._made: dict[str, tuple[str, Callable[[Values], Any]]] = {}
        self._row: Callable[[Iterable[Any]], Any] | None = None

    def many(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Execute it with each of these."""
        text, placed = self._for(connection)
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql(text, [placed(row) for row in rows])
            return
        with _sqlite_errors(text):
            driver = _sqlite_driver(connection)
            if not (one := _row_of(text)):
                driver.executemany(text, [placed(row) for row in rows])
                return
            for size, part in _sized(rows, self._filler):
                values = tuple(chain.from_iterable(map(placed, part)))
                driver.execute(_with_rows(text, one, size), values)

    def rows(self, connection: Connection, values: Values) -> Sequence[Any]:
        """What it selects: tuples whose columns have names, too."""
        text, placed = self._for(connection)
        if connection.dialect.name != "sqlite":
            return connection.exec_driver_sql(text, placed(values)).all()
        with _sqlite_errors(text):
            cursor = _sqlite_driver(connection).execute(text, placed(values))
            found = cursor.fetchall()
            if self._row is None:
                names = [column[0] for column in cursor.description]
                self._row = _named_tuple("SelectedRow", names, rename=True)._make
        return list(map(self._row, found))

    def _for(self, connection: Connection) -> tuple[str, Callable[[Values], Any]]:
        engine = connection.dialect.name
        if engine not in self._made:
            own = self._sqlite_statement if engine == "sqlite" else None
            compiled: Any = (self._statement if own is None else own).compile(dialect=connection.dialect)
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            self._made[engine] = (str(compiled), _placing(compiled.positiontup, fixed))
        return self._made[engine]


Standing = tuple[object, int, int]


def sqlite_standing(connection: Connection, earlier: Standing | None = None) -> Standing | None:
    """Within a transaction that writes: the same as in an earlier one when nothing was written in between.

    `earlier`: of this very transaction, before it wrote. None: PostgreSQL, which does not tell.
    """
    if connection.dialect.name != "sqlite":
        return None
    with _sqlite_errors("PRAGMA data_version") as statement:
        driver = _sqlite_driver(connection)
        # Commits of other connections change the first number, those of this one the second.
        version = driver.execute(statement).fetchone()[0] if earlier is None else earlier[1]
        return driver, version, driver.total_changes


def _sqlite_driver(connection: Connection) -> Any:
    """Of the transaction that the connection is in, which begins here if it has not."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.dbapi_connection


@contextmanager
def _transaction(connection: Connection, begin: str, end: str) -> Iterator[None]:
    """Of a connection that is kept for the next one, unless this one fails."""
    driver: Any = connection.connection.dbapi_connection
    try:
        with _sqlite_errors(begin):
            driver.execute(begin)
        yield
        with _sqlite_errors(end):
            driver.execute(end)
    except BaseException:
        connection.close()
        raise


@contextmanager
def _sqlite_errors(statement: str) -> Iterator[str]:
    """What the driver raises about a statement, as SQLAlchemy raises it."""
    try:
        yield statement
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error


# The driver lets other threads run for each statement, and waits up to five milliseconds to run again where one
# of them is busy. So many rows are written by few statements, of few sizes, as the driver keeps what it parsed.
_MOST_ROWS = 256
_FEW_ROWS = 8  # are one statement, however many they are
_VALUES = re.compile(r"(?<=VALUES )\((?:\?, )*\?\)")


@lru_cache(maxsize=256)
def _row_of(statement: str) -> str:
    """The placeholders of its only row. Empty: it has no such row, or values beside it."""
    found = _VALUES.search(statement)
    return found[0] if found and found[0].count("?") == statement.count("?") else ""


@lru_cache(maxsize=1024)
def _with_rows(statement: str, row: str, count: int) -> str:
    return statement.replace(row, ", ".join([row] * count))


def _sized(rows: Sequence[Values], filler: Callable[[Values], Values] | None) -> Iterator[tuple[int, Sequence[Values]]]:
    """In their order, a few or by powers of two; the last of them filled up where that is known how."""
    start = 0
    while start < len(rows):
        left = len(rows) - start
        if filler is None:
            size = left if left <= _FEW_ROWS else min(_MOST_ROWS, 1 << (left.bit_length() - 1))
        else:
            size = min(_MOST_ROWS, 1 << (left - 1).bit_length())
        part = rows[start : start + size]
        if filler is not None and len(part) < size:
            part = [*part, *repeat(filler(part[-1]), size - len(part))]
        yield size, part
        start += size


class PreparedChoice:
    """A statement about the rows in which a column has one of some values, which returns rows; it may have others."""

    def __init__(self, choose: Callable[[ColumnElement[bool]], ClauseElement], column: ColumnElement[Any]) -> None:
        self._choose = choose
        self._column = column
        self._sized = lru_cache(maxsize=None)(self._prepared)

    def rows(self, connection: Connection, values: Sequence[Any], others: Values | None = None) -> Sequence[Any]:
        if not values:
            return []
        # The last one repeated changes nothing, and a text for each power of two is enough.
        size = 1 << (len(values) - 1).bit_length()
        named = {f"value_{number}": value for number, value in enumerate(values)}
        named |= {f"value_{number}": values[-1] for number in range(len(values), size)}
        return self._sized(size).rows(connection, {**named, **(others or {})})

    def value_of(self, row: Any) -> Any:
        """The value that a row was chosen by, where the choice returns the column."""
        return getattr(row, self._column.name)

    def _prepared(self, size: int) -> Prepared:
        wanted = [bindparam(f"value_{number}", type_=self._column.type) for number in range(size)]
        return Prepared(self._choose(self._column.in_(wanted)))


def _placing(order: Sequence[str] | None, fixed: Values) -> Callable[[Values], Any]:
    """From values by name, with those that the statement itself brings, to what the driver takes."""
    if order is None:
        return lambda row: {**fixed, **row}
    if not order:
        return lambda _row: ()
    if len(order) == 1:
        return lambda row: (row[order[0]],)
    ordered = itemgetter(*order)
    return (lambda row: ordered({**fixed, **row})) if fixed else ordered
