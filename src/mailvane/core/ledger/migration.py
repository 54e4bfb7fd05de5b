"""Bringing a ledger to this version's schema, by one process at a time.

Everything happens in one transaction under a lock, so a process that dies half-way leaves the old schema behind.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from mailvane.core.errors import StoreTooNew
from mailvane.core.ledger.database import BUSY_SECONDS, Database

MIGRATIONS = Path(__file__).parent / "migrations"
_POSTGRESQL_LOCK = 0x6D61696C76616E65  # any number that no other program takes
_PAUSE = 0.05


def migrate(database: Database) -> None:
    """Raises StoreTooNew when a newer Mailvane has been here before, StoreUnavailable when nothing answers."""
    if database.is_sqlite:
        # SQLite changes the journal mode only when nobody else looks, and does not always wait for that by itself.
        waited = 0.0
        while not _write_ahead_log_is_on(database):
            if waited >= BUSY_SECONDS:
                raise database.unavailable("another process keeps it locked")
            time.sleep(_PAUSE)
            waited += _PAUSE
    with database.read() as connection:
        # Whoever finds nothing to do need not wait until a long import lets go of the lock.
        if _revision(connection) == max(_revisions()):
            return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
        check_revision(_revision(connection))
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    """All steps that are missing, in the transaction of the connection."""
    # Imported when there is something to do: Alembic takes longer to load than all the rest of a ledger.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # six lines of no use to an operator
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check_revision(current: str | None) -> None:
    """Raises StoreTooNew for a revision that this version has never heard of."""
    if current is not None and current not in _revisions():
        raise StoreTooNew(f"the ledger was written by a newer Mailvane (its schema is {current}): use that version")


def _revisions() -> set[str]:
    """Those that this version knows: the number in the name of a file is its revision."""
    return {path.name[1:].partition("_")[0] for path in (MIGRATIONS / "versions").glob("v*.py")}


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _write_ahead_log_is_on(database: Database) -> bool:
    try:
        with closing(database.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return False
        raise database.unavailable(str(error)) from error
    return True
