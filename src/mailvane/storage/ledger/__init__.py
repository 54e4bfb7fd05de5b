"""The ledger: everything small and mutable, in SQLite or PostgreSQL. `open_ledger` is the only door."""

from mailvane.storage.ledger.ledger import SqlLedger, open_ledger

__all__ = ["SqlLedger", "open_ledger"]
