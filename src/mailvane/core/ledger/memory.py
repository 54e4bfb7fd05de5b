"""Rows of the ledger that were read before, for as long as nobody else has written to it.

For whoever reads the same rows in one transaction after the other, and is the one who changes them. SQLite tells a
connection whether another one has committed since (`PRAGMA data_version`), and counts what it has written itself; with
the lock of a writer in hand nothing can change after that look. PostgreSQL tells nothing of the kind: there, every
transaction begins with an empty memory, and reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from mailvane.core.ledger.database import Database, PreparedChoice, sqlite_standing

_MOST = 50_000  # keys of one subject; then it begins anew


class Memory:
    """What one kind of transaction has read, by subject and key.

    Whoever changes a row that is in here changes it here, too, or forgets the key.
    """

    def __init__(self) -> None:
        self._subjects: dict[str, dict[Any, Any]] = {}

    def of(self, subject: str) -> dict[Any, Any]:
        known = self._subjects.get(subject)
        if known is None or len(known) > _MOST:
            known = self._subjects[subject] = {}
        return known

    def rows(
        self, subject: str, connection: Connection, choice: PreparedChoice, values: Sequence[Any]
    ) -> Mapping[Any, tuple[Any, ...]]:
        """The rows of a choice by the value that it chose them by, of these values at least; none: an empty tuple.

        Only what is not in here is read.
        """
        known = self.of(subject)
        missing = [value for value in values if value not in known]
        if missing:
            known.update(dict.fromkeys(missing, ()))
            for row in choice.rows(connection, missing):
                value = choice.value_of(row)
                known[value] = (*known[value], row)
        return known


class Remembering:
    """Transactions that go on with the memory of the one before. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: tuple[Any, Memory] = (None, Memory())

    @contextmanager
    def write(self) -> Iterator[tuple[Connection, Memory]]:
        """As `Database.write_often`. The memory is empty where anybody else has written, or where nothing tells."""
        with self._database.write_often() as connection:
            before, memory = self._kept
            self._kept = (None, Memory())  # what is read and changed from here on may never become durable
            standing = sqlite_standing(connection)
            if standing is None or standing != before:
                memory = Memory()
            yield connection, memory
            standing = sqlite_standing(connection, standing)
        self._kept = (standing, memory)
