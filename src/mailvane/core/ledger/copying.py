"""Copies of the ledger while it is in use. SQLite only: PostgreSQL has tools of its own, which know it better."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mailvane.core.errors import InvalidInput, StoreUnavailable
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.migration import check_revision, migrate


class LedgerCopies:
    """A ledger that can be copied to a file and taken over from one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to a new file. Raises InvalidInput, StoreUnavailable."""
        with self._live("pg_dump") as live:
            if target.exists():
                raise InvalidInput(f"{target} exists already")
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
        target.chmod(0o600)
        with target.open("rb") as written:
            os.fsync(written.fileno())

    def copy_from(self, source: Path) -> None:
        """Replace everything by a copy, brought to this version's schema. Raises InvalidInput, StoreTooNew."""
        with self._live("pg_restore") as live:
            try:
                with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as copy:
                    row = copy.execute("SELECT version_num FROM alembic_version").fetchone()
                    check_revision(row and row[0])
                    copy.backup(live)
            except sqlite3.DatabaseError as error:
                raise InvalidInput(f"{source} is not a copy of a ledger: {error}") from error
        migrate(self._database)

    @contextmanager
    def _live(self, tool: str) -> Iterator[Any]:
        """The driver's own connection."""
        if not self._database.is_sqlite:
            raise InvalidInput(f"the ledger is in PostgreSQL: use {tool}, and the backup of your ClickHouse server")
        with closing(self._database.engine.raw_connection()) as connection:
            try:
                yield connection.driver_connection
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the ledger cannot be copied: {error}") from error
