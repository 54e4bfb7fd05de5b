"""Fixtures of the contract tests; each store's own stand in a module of their own."""

from __future__ import annotations

import pytest

from tests.contract.ledgers import empty_database, ledger, ledger_url, postgres
from tests.contract.maillogs import is_asked_here

__all__ = ["empty_database", "ledger", "ledger_url", "postgres"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if is_asked_here(item)]
