"""One object that plays both roles of the ledger, and the door that opens it."""

from __future__ import annotations

from pathlib import Path

from mailvane.errors import MailvaneError
from mailvane.storage.ledger.copying import copy_from, copy_to
from mailvane.storage.ledger.copying import SqlCopies
from mailvane.storage.ledger.database import Database, connect
from mailvane.storage.ledger.journal import SqlJournal
from mailvane.storage.ledger.migration import migrate
from mailvane.storage.ledger.tenants import SqlTenants


class SqlLedger(SqlTenants, SqlJournal, SqlCopies):
    """`Tenants` and `Journal` on one database, which can be copied."""

    def __init__(self, database: Database) -> None:
        SqlTenants.__init__(self, database)
        SqlJournal.__init__(self, database)
        SqlCopies.__init__(self, database)

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy. Raises InvalidInput when this engine has its own tool for that."""
        copy_to(self._database, target)

    def copy_from(self, source: Path) -> None:
        """Take over a copy. Raises InvalidInput, StoreTooNew."""
        copy_from(self._database, source)

    def close(self) -> None:
        self._database.close()


def open_ledger(url: str) -> SqlLedger:
    """The ledger at `sqlite:////path` or `postgresql://…`, brought to this version's schema.

    Raises InvalidSetting, StoreTooNew or StoreUnavailable, each with one line that says what is wrong.
    """
    database = connect(url)
    try:
        migrate(database)
    except MailvaneError:
        database.close()
        raise
    return SqlLedger(database)
