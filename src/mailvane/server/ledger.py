"""One object that plays every role of the ledger, and the door that opens it."""

from __future__ import annotations

from mailvane.core.errors import MailvaneError
from mailvane.core.ledger.copying import SqlCopies
from mailvane.core.ledger.database import Database, connect
from mailvane.core.ledger.leases import SqlLeases
from mailvane.core.ledger.migration import migrate
from mailvane.core.tenants.store import SqlTenants
from mailvane.dmarc.store.report_pages import SqlReportPages
from mailvane.dmarc.store.report_sums import SqlReportSums
from mailvane.dmarc.store.reports import SqlReports
from mailvane.maillog.store.adopting import SqlAdoption
from mailvane.maillog.store.journal import SqlJournal
from mailvane.maillog.store.maillog_record import SqlMaillogRecord
from mailvane.notify.store.channels import SqlChannels
from mailvane.notify.store.outbox import SqlOutbox
from mailvane.outbound.store.clients import SqlClients
from mailvane.outbound.store.domains import SqlDomains
from mailvane.outbound.store.periods import SqlPeriods
from mailvane.reputation.store.alerts import SqlAlertLog, SqlAlerts
from mailvane.reputation.store.asset_pages import SqlAssetPages
from mailvane.reputation.store.assets import SqlAssets
from mailvane.reputation.store.firing_counts import SqlFiringCounts
from mailvane.reputation.store.observation_pages import SqlObservationPages
from mailvane.reputation.store.observations import SqlObservations
from mailvane.reputation.store.zones import SqlZones

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
    """Every role of `maillog.interface`, `domains`, `clients` and `reputation` on one database, which can be copied."""

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
