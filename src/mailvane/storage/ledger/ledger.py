"""One object that plays every role of the ledger, and the door that opens it."""

from __future__ import annotations

from mailvane.errors import MailvaneError
from mailvane.storage.ledger.clients import SqlClients
from mailvane.storage.ledger.copying import SqlCopies
from mailvane.storage.ledger.database import Database, connect
from mailvane.storage.ledger.domains import SqlDomains
from mailvane.storage.ledger.journal import SqlJournal
from mailvane.storage.ledger.migration import migrate
from mailvane.storage.ledger.periods import SqlPeriods
from mailvane.storage.ledger.tenants import SqlTenants


class SqlLedger(SqlTenants, SqlJournal, SqlDomains, SqlPeriods, SqlClients, SqlCopies):
    """`Tenants`, `Journal`, `Domains`, `Periods` and `ClientTerms` on one database, which can be copied."""

    def __init__(self, database: Database) -> None:
        SqlTenants.__init__(self, database)
        SqlJournal.__init__(self, database)
        SqlDomains.__init__(self, database)
        SqlPeriods.__init__(self, database)
        SqlClients.__init__(self, database)
        SqlCopies.__init__(self, database)

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
