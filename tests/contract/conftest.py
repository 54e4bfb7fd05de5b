"""Fixtures of the contract tests; each store's own stand in a module of their own."""

from tests.contract.ledgers import empty_database, ledger, ledger_url, postgres

__all__ = ["empty_database", "ledger", "ledger_url", "postgres"]
