"""A mail log and a ledger beside it, both new for each test; `dsn` and `ledger_url` say where."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.server.ledger import Ledger, open_ledger


@pytest.fixture
def maillog(dsn: str) -> Iterator[ClickHouseMailLog]:
    with open_maillog(dsn) as opened:
        yield opened


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = open_ledger(ledger_url)
    yield opened
    opened.close()
