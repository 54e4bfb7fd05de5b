"""One object that plays every role of the ledger, and the door that opens it."""

from __future__ import annotations

from mailvane.errors import MailvaneError
from mailvane.storage.ledger.adopting import SqlAdoption
from mailvane.storage.ledger.alerts import SqlAlertLog, SqlAlerts
from mailvane.storage.ledger.asset_pages import SqlAssetPages
from mailvane.storage.ledger.assets import SqlAssets
from mailvane.storage.ledger.channels import SqlChannels
from mailvane.storage.ledger.clients import SqlClients
from mailvane.storage.ledger.copying import SqlCopies
from mailvane.storage.ledger.database import Database, connect
from mailvane.storage.ledger.domains import SqlDomains
from mailvane.storage.ledger.firing_counts import SqlFiringCounts
from mailvane.storage.ledger.journal import SqlJournal
from mailvane.storage.ledger.leases import SqlLeases
from mailvane.storage.ledger.maillog_record import SqlMaillogRecord
from mailvane.storage.ledger.migration import migrate
from mailvane.storage.ledger.observation_pages import SqlObservationPages
from mailvane.storage.ledger.observations import SqlObservations
from mailvane.storage.ledger.outbox import SqlOutbox
from mailvane.storage.ledger.periods import SqlPeriods
from mailvane.storage.ledger.report_pages import SqlReportPages
from mailvane.storage.ledger.report_sums import SqlReportSums
from mailvane.storage.ledger.reports import SqlReports
from mailvane.storage.ledger.tenants import SqlTenants
from mailvane.storage.ledger.zones import SqlZones

_OUTBOUND = (SqlDomains, SqlPeriods, SqlClients)
_REPUTATION = (
    *(SqlAssets, SqlObservations, SqlZones, SqlAlerts, SqlAlertLog, SqlOutbox, SqlChannels),
    *(SqlReports, SqlReportPages, SqlReportSums, SqlObservationPages, SqlLeases),
    *(SqlAssetPages, SqlFiringCounts),
)


class SqlLedger(
    SqlTenants,
    SqlJournal,
    SqlDomains,
    SqlPeriods,
    SqlClients,
    SqlAssets,
    SqlAssetPages,
    SqlObservations,
    SqlObservationPages,
    SqlZones,
    SqlAlerts,
    SqlAlertLog,
    SqlFiringCounts,
    SqlOutbox,
    SqlChannels,
    SqlReports,
    SqlLeases,
    SqlReportPages,
    SqlReportSums,
    SqlCopies,
    SqlAdoption,
    SqlMaillogRecord,
):
    """Every role of `storage.interface`, `domains`, `clients` and `reputation` on one database, which can be copied."""

    def __init__(self, database: Database) -> None:
        for role in (SqlTenants, SqlJournal, *_OUTBOUND, *_REPUTATION, SqlCopies, SqlAdoption, SqlMaillogRecord):
            role.__init__(self, database)

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
