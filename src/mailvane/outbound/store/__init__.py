"""Outbound's part of the ledger."""
