"""The way to ClickHouse, embedded or served: addresses, clients, and errors in our words. No table is known here.

One engine client serves one caller at a time, so an `Engine` lends them from a pool: as many run at once as
callers ask. The embedded engine serves one data directory per process and one process per data directory.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, OperationalError

from mailvane.core.errors import InvalidSetting, MailvaneError, StoreDamaged, StoreInUse, StoreUnavailable
from mailvane.core.memory_files import memory_file
from mailvane.maillog.clickhouse import embedded

log = logging.getLogger(__name__)

DATABASE = "mailvane"

# What a caller may mend by waiting: time, memory, disk space, file descriptors (a file that cannot be opened or
# written, an epoll that cannot be made), threads, too much at once, network, a server in maintenance.
_TRANSIENT = frozenset(
    {75, 76, 77, 159, 160, 164, 173, 202, 209, 210, 241, 242, 243, 252, 279, 394, 425, 439, 573, 999}
)

# Files that are not as they were written: checksums, lengths, tables and parts that are not there any more.
_DAMAGED = frozenset({32, 33, 40, 60, 79, 107, 117, 226, 227, 228, 231, 246, 271, 272, 432})

# A question or merge that outgrows this goes on in files.
_SPILL = "268435456"
_SESSION_SETTINGS = {
    "max_bytes_before_external_group_by": _SPILL,
    "max_bytes_before_external_sort": _SPILL,
    "do_not_merge_across_partitions_select_final": "1",
    "output_format_json_quote_64bit_integers": "0",
    "optimize_functions_to_subcolumns": "0",
    # Rows of one block are joined by merges, not on the way in: there, an index on an expression is made of the row
    # that came first, not of the joined one, and hides it.
    "optimize_on_insert": "0",
}


class Address(msgspec.Struct, frozen=True):
    """Where the mail log lives: a directory, or servers that each hold the same tables or a share of them."""

    path: str | None = None
    servers: tuple[tuple[str, int], ...] = ()
    user: str = "default"
    password: str = ""
    secure: bool = False
    database: str = DATABASE
    cluster: str | None = None


def parse_address(dsn: str) -> Address:
    """`chdb:///path` or `clickhouse[s]://user:password@host:port/database`.

    `?cluster=NAME` and a list of hosts name the servers that share the mail log. Raises InvalidSetting.
    """
    parts = urlsplit(dsn)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if parts.scheme == "chdb" and not parts.netloc and len(parts.path) > 1 and not options:
        return Address(path=unquote(parts.path))
    cluster = options.pop("cluster", None)
    if parts.scheme not in {"clickhouse", "clickhouses"} or not parts.netloc or options:
        raise InvalidSetting(
            "the mail log is chdb:///PATH or clickhouse[s]://USER:PASSWORD@HOST:PORT/DATABASE[?cluster=NAME]"
        )
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    secure = parts.scheme == "clickhouses"
    return Address(
        servers=tuple(_server(host, 8443 if secure else 8123) for host in hosts.split(",")),
        user=unquote(user) or "default",
        password=unquote(password),
        secure=secure,
        database=unquote(parts.path.strip("/")) or DATABASE,
        cluster=cluster,
    )


def _server(text: str, default_port: int) -> tuple[str, int]:
    try:
        server = urlsplit(f"//{text}")
        host, port = server.hostname, server.port
    except ValueError:
        host, port = None, None
    if not host:
        raise InvalidSetting("the address of the mail log has a host or port that cannot be")
    return host, port or default_port


@contextmanager
def translated() -> Generator[None]:
    """Errors of the engine and its client leave as ours."""
    try:
        yield
    except Error as error:
        code = getattr(error, "code", None)
        text = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
        if (isinstance(error, OperationalError) and code is None) or code in _TRANSIENT:
            raise StoreUnavailable(f"the mail log does not answer: {text}") from error
        if code in _DAMAGED:
            log.error("the mail log is damaged: %s", text)  # noqa: TRY400  the line says it all
            raise StoreDamaged("the mail log is damaged: `mailvane doctor --deep` tells what is broken") from error
        raise MailvaneError(f"the mail log refused: {text}") from error
    except OSError as error:
        raise StoreUnavailable(f"the mail log does not answer: {error}") from error


class Statement(NamedTuple):
    """SQL, with tables as `{deliveries}`, and the values that are bound to it."""

    sql: str
    values: dict[str, object]


class Engine:
    """One server, or the embedded engine, and a pool of clients to it."""

    def __init__(self, address: Address, server: int = 0) -> None:
        self.address = address
        self._server = server
        self._idle: LifoQueue[Client] = LifoQueue()
        self._lock_file: int | None = None
        if address.path is not None:
            # Hold the directory against other processes: the engine would refuse them too, but without telling why.
            path = Path(address.path)
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / "mailvane.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise StoreInUse(f"another process owns the mail log in {path}") from None
            self._lock_file = descriptor
        try:
            with translated():
                first = self._connect("system" if self.address.path is None else None)
                # Lent out as the others are: the embedded engine ends with its last client, and would be opened twice.
                self._idle.put(first)
                first.command(f"CREATE DATABASE IF NOT EXISTS `{self.address.database}` ENGINE = Atomic")
                first.database = self.address.database
        except BaseException:
            self.close()
            raise

    @property
    def embedded(self) -> bool:
        return self.address.path is not None

    def _connect(self, database: str | None) -> Client:
        if self.address.path is not None:
            return embedded.embedded_client(self.address.path, database, _SESSION_SETTINGS)
        host, port = self.address.servers[self._server]
        return clickhouse_connect.get_client(
            host=host,
            port=port,
            username=self.address.user,
            password=self.address.password,
            secure=self.address.secure,
            database=database,
            settings=_SESSION_SETTINGS,
            autogenerate_session_id=False,
            connect_timeout=10,
            send_receive_timeout=300,
        )

    @contextmanager
    def client(self) -> Generator[Client]:
        """A client of one's own, for as long as the block lasts."""
        with translated():
            try:
                client = self._idle.get_nowait()
            except Empty:
                client = self._connect(self.address.database)
            try:
                yield client
            except BaseException:
                # What it had of the answer that failed would lead the next one.
                client.close()
                raise
            self._idle.put(client)

    def lines(self, question: str, values: Mapping[str, object] | None = None, form: str = "JSONEachRow") -> bytes:
        """The answer as one JSON document a line."""
        with self.client() as client:
            return client.raw_query(question, parameters=dict(values or {}), fmt=form)

    def rows(self, question: str, values: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
        """The answer as tuples."""
        with self.client() as client:
            return [tuple(row) for row in client.query(question, parameters=dict(values or {})).result_rows]

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[bytes], settings: Mapping[str, str]) -> None:
        """Store rows, a JSON array a line, as one block."""
        with self.client() as client:
            if not self.embedded:
                block = (piece for piece in rows)
                client.raw_insert(table, columns, block, dict(settings), "JSONCompactEachRow")
                return
            # The client would hand them over in a file below /tmp: written twice, and left there by a kill.
            with memory_file(rows) as path:
                chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
                client.command(
                    f"INSERT INTO {table} ({', '.join(f'`{column}`' for column in columns)})"
                    f" FROM INFILE {quoted(path)} SETTINGS {chosen} FORMAT JSONCompactEachRow"
                )

    def insert_columns(
        self,
        table: str,
        constants: Mapping[str, int],
        structure: Mapping[str, str],
        columns: bytes,
        settings: Mapping[str, str],
    ) -> None:
        """Store columns in the Native format, of these types, as one block, each row with these constants."""
        names = ", ".join(f"`{name}`" for name in (*constants, *structure))
        taken = ", ".join((*map(str, constants.values()), *(f"`{name}`" for name in structure)))
        insert = f"INSERT INTO {table} ({names}) SELECT {taken} FROM"
        with self.client() as client:
            if not self.embedded:
                types = ", ".join(f"`{name}` {kind}" for name, kind in structure.items())
                client.command(f"{insert} input({quoted(types)}) FORMAT Native", data=columns, settings=dict(settings))
                return
            with memory_file((columns,)) as path:
                chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
                client.command(f"{insert} file({quoted(path)}, 'Native') SETTINGS {chosen}")

    def session(self) -> Client:
        """A client that nobody else gets, to be closed: what it makes for itself ends with it."""
        with translated():
            return self._connect(self.address.database)

    def command(self, statement: str, values: Mapping[str, object] | None = None) -> None:
        """Do something that has no answer."""
        with self.client() as client:
            client.command(statement, parameters=dict(values or {}))

    def close(self) -> None:
        """Give everything back. The engine must not be used afterwards."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                break
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def client_in_memory() -> Client:
    """Of an embedded engine that stores nothing, where this process has none; to be closed."""
    return embedded.client_in_memory(_SESSION_SETTINGS)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
