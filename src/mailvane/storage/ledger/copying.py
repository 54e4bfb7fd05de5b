"""Copies of the ledger while it is in use. SQLite only: PostgreSQL has tools of its own, which know it better."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from mailvane.errors import InvalidInput, StoreUnavailable
from mailvane.storage.ledger.database import Database


class SqlCopies:
    """A ledger that can be copied to a file and taken over from one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to a new file. Raises InvalidInput, StoreUnavailable."""
        self._only_sqlite("pg_dump")
        with closing(sqlite3.connect(target)) as copy:
            self._transfer(copy, outward=True)
        target.chmod(0o600)
        with target.open("rb") as written:
            os.fsync(written.fileno())

    def copy_from(self, source: Path) -> None:
        """Replace everything by the contents of a copy. Raises InvalidInput, StoreUnavailable."""
        self._only_sqlite("pg_restore")
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as copy:
            self._transfer(copy, outward=False)

    def _only_sqlite(self, tool: str) -> None:
        if not self._database.is_sqlite:
            raise InvalidInput(f"the ledger is in PostgreSQL: use {tool}, and the backup of your ClickHouse server")

    def _transfer(self, copy: sqlite3.Connection, *, outward: bool) -> None:
        with closing(self._database.engine.raw_connection()) as ours:
            live = ours.driver_connection
            if not isinstance(live, sqlite3.Connection):
                raise InvalidInput("this ledger cannot be copied")
            try:
                live.backup(copy) if outward else copy.backup(live)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the ledger cannot be copied: {error}") from error
