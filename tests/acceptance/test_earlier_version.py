"""Stores of earlier versions: today's program opens them, answers the same, and goes on with what is pending.

`tests/fixtures/earlier_version/make.py` made them, and says how. The program runs with the clock of that moment, so
that "today" in an answer is the same day. What those since dfa6e28 kept in their data directory is put into PostgreSQL
and ClickHouse besides, in the tables of that version.
"""

from __future__ import annotations

import json
import lzma
import re
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, MetaData, func, insert, select

from mailvane.core.leasing import LEASE_MS
from mailvane.core.ledger.database import connect
from mailvane.core.ledger.migration import MIGRATIONS
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.acceptance.smtp_sink import SmtpSink
from tests.acceptance.warm_commands import CLOCK_BEHIND
from tests.contract import clickhouse_server
from tests.contract.ledgers import PostgresServer, postgres
from tests.fixtures.earlier_version.questions import COMMANDS, CONTINUED, HTTP
from tests.waiting import PATIENCE

__all__ = ["postgres"]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "earlier_version"
SETTINGS = """\
[reputation]
resolvers = ["127.0.0.1:9"]
allowed_targets = ["127.0.0.1"]
[reputation.mail]
host = "127.0.0.1"
port = {port}
security = "none"
"""
MAILS = 18  # rows of acme: those that were stored, and the three of the pending batch
# What a source says of itself when it is asked again, and fails again, in the meantime.
ASKED_SINCE = {"addresses": {"status", "error", "updated_at"}}
# "off" is no word of the vendor's: a domain without warm-up has none.
SAID_OTHERWISE = {"limits and counters": {"warmup_profile"}, "suspended domain": {"warmup_profile"}}


class Earlier(NamedTuple):
    """What a version left behind."""

    place: Path
    revision: str  # of its ledger's schema
    schema: int  # of its mail log

    @property
    def then(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.place / "answers.json").read_text())
        return found


VERSIONS = {
    "300fd5b": Earlier(FIXTURES, "0009", 1),
    "dfa6e28": Earlier(FIXTURES / "dfa6e28", "0018", 3),
    "f33ff97": Earlier(FIXTURES / "f33ff97", "0036", 4),
}
WAYS = {name: (earlier, False) for name, earlier in VERSIONS.items()} | {
    f"{name}, PostgreSQL and ClickHouse": (VERSIONS[name], True) for name in ("dfa6e28", "f33ff97")
}


@contextmanager
def a_copy(place: Path, earlier: Earlier, smtp_port: int) -> Iterator[Installation]:
    """The directory as it was, and today's program with the clock of then."""
    found = Installation(place / "data")
    found.environment[CLOCK_BEHIND] = str(time.time_ns() - (earlier.then["made_at"] + 2000) * 1_000_000)
    found.environment["TZ"] = "UTC"
    with tarfile.open(earlier.place / "data.tar.xz") as archive:
        archive.extractall(found.data, filter="data")
    (found.data / "mailvane.toml").write_text(SETTINGS.format(port=smtp_port))
    with closing(sqlite3.connect(found.data / "ledger.sqlite")) as ledger:
        ((batches,),) = ledger.execute("SELECT count(*) FROM journal")
        ((leases,),) = ledger.execute("SELECT count(*) FROM leases WHERE holder = 'killed-process'")
        ((messages,),) = ledger.execute("SELECT count(*) FROM notifications WHERE state = 'pending'")
        ((revision,),) = ledger.execute("SELECT version_num FROM alembic_version")
    assert (batches, leases, messages) == (1, 1, 1), "the fixture holds what is to be gone on with"
    assert revision == earlier.revision
    yield found


@contextmanager
def on_servers(
    request: pytest.FixtureRequest, installation: Installation, earlier: Earlier, wanted: bool
) -> Iterator[None]:
    """With its stores in PostgreSQL and ClickHouse, if that is wanted."""
    if not wanted:
        yield
        return
    if clickhouse_server.engine_file() is None:
        pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"ledger_{uuid4().hex}"
    server.psql(f"CREATE DATABASE {name}")
    ledger = installation.data / "ledger.sqlite"
    to_postgres(ledger, server.get_uri(name), earlier.revision)
    ledger.unlink()
    shutil.rmtree(installation.data / "maillog")
    with clickhouse_server.servers(1, installation.data.parent / "clickhouse") as (port,):
        to_clickhouse(earlier, port)
        installation.environment["MAILVANE_LEDGER"] = server.get_uri(name)
        installation.environment["MAILVANE_MAILLOG"] = f"clickhouse://default@127.0.0.1:{port}/mailvane"
        yield


def to_postgres(source: Path, url: str, revision: str) -> None:
    """The rows of a SQLite ledger, in tables as that revision made them."""
    database = connect(url)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        there = MetaData()
        there.reflect(connection)
        with closing(sqlite3.connect(source)) as ledger:
            ledger.row_factory = sqlite3.Row
            for table in there.sorted_tables:
                rows = [dict(row) for row in ledger.execute(f'SELECT * FROM "{table.name}"')]
                if table.name == "alembic_version" or not rows:
                    continue
                flags = [column.name for column in table.c if isinstance(column.type, Boolean)]
                for row in rows:
                    row |= {name: bool(row[name]) for name in flags if row[name] is not None}
                connection.execute(insert(table), rows)
                for column in table.primary_key:
                    sequence = func.pg_get_serial_sequence(table.name, column.name)
                    if connection.execute(select(sequence)).scalar():
                        connection.execute(select(func.setval(sequence, select(func.max(column)).scalar_subquery())))
    database.close()


def to_clickhouse(earlier: Earlier, port: int) -> None:
    """The mail log as that version had it there."""

    def ask(statement: str, content: bytes = b"", **more: str) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/", params={"query": statement, "database": "mailvane", **more}, content=content,
            timeout=PATIENCE,
        )  # fmt: skip
        assert answer.is_success, answer.text

    ask("CREATE DATABASE mailvane ENGINE = Atomic", database="default")
    for statement in (earlier.place / "maillog.sql").read_text().split(";\n"):
        if statement.strip():
            ask(statement)
    for table in ("events", "workspaces"):
        ask(f"INSERT INTO {table} FORMAT Native", lzma.decompress((earlier.place / f"{table}.native.xz").read_bytes()))
    columns = "(schema UInt32, engine String, major UInt32, minor UInt32)"
    ask(f"CREATE TABLE written_by {columns} ENGINE = MergeTree ORDER BY (schema, major, minor)")
    ask(f"INSERT INTO written_by VALUES ({earlier.schema}, '26.1', 26, 1)")


@pytest.fixture(scope="module", params=WAYS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, dict[str, Any]]]:
    """It cannot deliver its message: nobody listens at that port."""
    earlier, elsewhere = WAYS[request.param]
    place = tmp_path_factory.mktemp("earlier")
    with (
        a_copy(place, earlier, smtp_port=9) as installation,
        on_servers(request, installation, earlier, elsewhere),
        installation.serving(),
    ):
        installation.wait_for(lambda: installation.answer("log", "--workspace", "acme")["total"] == MAILS)
        yield installation, earlier.then


def asked(installation: Installation, then: dict[str, Any], who: str, path: str, query: dict[str, Any]) -> Any:
    headers = {"X-API-KEY": then["tokens"][who]}
    if who in {"master", "platform"} and not path.startswith("/domains"):
        headers["X-Workspace-Id"] = "1"
    answer = httpx.get(installation.url + path.format(**then["ids"]), headers=headers, params=query, timeout=PATIENCE)
    assert answer.is_success, answer.text
    return answer.json()


def missing(then: Any, now: Any, but: set[str], place: str = "") -> list[str]:
    """Where an answer of today lacks what the earlier version said; more fields are no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            difference
            for name, value in then.items()
            if name not in but
            for difference in missing(value, now.get(name, "nothing"), but, f"{place}.{name}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            difference
            for number, (one, other) in enumerate(zip(then, now, strict=True))
            for difference in missing(one, other, but, f"{place}[{number}]")
        ]
    return [] if then in (now, _milliseconds(now)) else [f"{place}: {then!r} was {now!r}"]


def _milliseconds(now: Any) -> Any:
    """Of a time that a command tells as text since, and as null where there is none."""
    if now is None:
        return 0
    if isinstance(now, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", now):
        return round(datetime.fromisoformat(now).timestamp() * 1000)
    return now


Served = tuple[Installation, dict[str, Any]]


@pytest.mark.parametrize("name", HTTP)
def test_the_server_answers_as_the_earlier_version_did(served: Served, name: str) -> None:
    installation, then = served
    now = asked(installation, then, *HTTP[name])
    assert not missing(then["http"][name], now, ASKED_SINCE.get(name, set()) | SAID_OTHERWISE.get(name, set()))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_answer_as_the_earlier_version_did(served: Served, name: str) -> None:
    installation, then = served
    now = installation.answer(*(word.format(**then["ids"]) for word in COMMANDS[name]))
    assert not missing(then["commands"][name], now, set())


def test_views_that_it_did_not_have_are_filled_from_its_events(served: Served) -> None:
    found = {one["address"]: one["sent"] for one in served[0].answer("mailboxes", "--workspace", "acme")}
    assert found == {"orders@shop.example": 15, "news@shop.example": 2}


def test_what_was_filled_anew_is_not_missed(served: Served) -> None:
    answer = httpx.get(f"{served[0].url}/readyz", timeout=PATIENCE)
    assert answer.is_success, answer.text


def test_the_lease_of_the_killed_process_is_free(served: Served) -> None:
    """At once where it was alone; where other nodes may live, when it ends."""
    installation, then = served
    shared = "MAILVANE_LEDGER" in installation.environment
    address = installation.environment.get("MAILVANE_LEDGER", f"sqlite:///{installation.data / 'ledger.sqlite'}")
    with closing(open_ledger(address)) as ledger:
        assert "killed-process" not in {
            lease.holder for lease in ledger.leases.leases(then["made_at"] + shared * LEASE_MS)
        }


@pytest.mark.parametrize("way", WAYS)
def test_what_was_pending_goes_on_once(request: pytest.FixtureRequest, tmp_path: Path, way: str) -> None:
    """Also after another start: the batch is stored once, the message delivered once, the mail in flight completed."""
    (earlier, elsewhere), sink = WAYS[way], SmtpSink().start()
    then = earlier.then
    with ExitStack() as running:
        running.callback(sink.stop)
        installation = running.enter_context(a_copy(tmp_path, earlier, sink.port))
        running.enter_context(on_servers(request, installation, earlier, elsewhere))
        log = installation.data / "mail.log"
        log.write_text(then["log"] + then["rest"])
        for _ in range(2):
            with installation.serving():
                installation.wait_for(lambda: message(installation, then)["state"] == "delivered")
                installation.run("import", "postfix", str(log), "--workspace", "acme")
        assert [mail.recipients for mail in sink.accepted] == [("ops@shop.example",)]
        now = {name: installation.answer(*COMMANDS[name]) for name in CONTINUED}
    assert not missing(then["continued"], now, set())


def message(installation: Installation, then: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = asked(installation, then, "acme", "/mailvane/v1/notifications", {})
    (one,) = found
    return one
