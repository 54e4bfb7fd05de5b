"""The reports' part of the ledger."""
