"""Fixtures of the contract tests; each store's own stand in a module of their own."""

from tests.contract.ledgers import ledger, ledger_url, postgres

__all__ = ["ledger", "ledger_url", "postgres"]
