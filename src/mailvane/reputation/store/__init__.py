"""Reputation's part of the ledger."""
