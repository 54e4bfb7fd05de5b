"""The mail log store: ClickHouse SQL through one client, whose DSN picks the embedded engine or a server."""

from mailvane.maillog.clickhouse.scratch import ScratchSession
from mailvane.maillog.clickhouse.store import ClickHouseMailLog, open_maillog

__all__ = ["ClickHouseMailLog", "ScratchSession", "open_maillog"]
