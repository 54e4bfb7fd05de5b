"""Mail logs to judge: the embedded engine, a real ClickHouse server, and two servers that share the work.

TEST_MAILVANE_MAILLOG=<dsn> judges that one instead. Tests keep apart by using a workspace of their own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from tests.contract import clickhouse_server
from tests.contract.ledgers import new_address

NAMED = os.environ.get("TEST_MAILVANE_MAILLOG")
ENGINES = ("named",) if NAMED else ("chdb", "server", "cluster")

_workspaces = itertools.count(int.from_bytes(os.urandom(3), "big") * 64)


@pytest.fixture(scope="module", params=ENGINES)
def maillog_dsn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a mail log."""
    engine = str(request.param)
    directory = tmp_path_factory.mktemp(engine)
    with ExitStack() as running:
        if engine == "named":
            yield str(NAMED)
        elif engine == "chdb":
            yield f"chdb://{directory / 'maillog'}"
        elif clickhouse_server.engine_file() is None:
            pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
        elif engine == "server":
            (port,) = running.enter_context(clickhouse_server.servers(1, directory))
            yield f"clickhouse://default@127.0.0.1:{port}/mailvane_test"
        else:
            ports = running.enter_context(clickhouse_server.servers(2, directory, cluster="pair"))
            hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
            yield f"clickhouse://default@{hosts}/mailvane_test?cluster=pair"


@pytest.fixture(scope="module")
def maillog(maillog_dsn: str) -> Iterator[ClickHouseMailLog]:
    with open_maillog(maillog_dsn) as opened:
        yield opened


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path, maillog_dsn: str) -> str:
    """The address of a ledger beside the mail log: of the engine that it has beside it where it is used.

    Neither store sees the other's engine: each of both is met, but not each pair.
    """
    return new_address(request, tmp_path, "sqlite" if maillog_dsn.startswith("chdb:") else "postgresql")


@pytest.fixture
def workspace() -> int:
    """One that nobody has used before."""
    return new_workspace()


def new_workspace() -> int:
    return next(_workspaces)


def embedded(path: Path) -> str:
    return f"chdb://{path}"
