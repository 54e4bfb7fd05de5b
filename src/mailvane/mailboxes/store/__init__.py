"""Mailboxes in the ledger."""
