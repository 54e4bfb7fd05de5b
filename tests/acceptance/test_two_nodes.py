"""Two servers on one PostgreSQL and one ClickHouse: what one is told the other knows, and nothing is done twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from mailvane.notify.worker import HOLD_MS
from mailvane.server.ledger import Ledger, open_ledger
from tests.acceptance.installation import Installation, kill
from tests.acceptance.test_alerts import POINTS, RULE, TRUE
from tests.contract import clickhouse_server
from tests.contract.ledgers import PostgresServer, postgres
from tests.unit.notify.receiver import Receiver
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

__all__ = ["postgres"]

EVENT = (
    '{"id": "e-1", "type": "delivered", "mail": "m-1", "accepted_at": "2026-09-21T10:00:00Z",'
    ' "time": "2026-09-21T10:00:02Z", "sender": "bob@example.com", "recipient": "ann@example.org"}'
)


@pytest.fixture
def nodes(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[Installation, Installation]]:
    """Two installations that share their stores; none runs yet."""
    if clickhouse_server.library() is None:
        pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
    name = f"ledger_{uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name}")
    with clickhouse_server.servers(1, tmp_path / "clickhouse") as (port,):
        pair = (Installation(tmp_path / "one"), Installation(tmp_path / "two"))
        for node in pair:
            node.environment["MAILVANE_LEDGER"] = postgres.get_uri(name)
            node.environment["MAILVANE_MAILLOG"] = f"clickhouse://default@127.0.0.1:{port}/mailvane"
        yield pair


@pytest.fixture
def ledger(nodes: tuple[Installation, Installation]) -> Iterator[Ledger]:
    """Theirs."""
    opened = open_ledger(nodes[0].environment["MAILVANE_LEDGER"])
    yield opened
    opened.close()


def watching(nodes: tuple[Installation, Installation], names: NameServer) -> None:
    for node in nodes:
        settings = f'resolvers = ["127.0.0.1:{names.port}"]\nallowed_targets = ["127.0.0.1"]\n'
        (node.data / "mailvane.toml").write_text("[reputation]\n" + settings)


def client(node: Installation, token: str) -> httpx.Client:
    return httpx.Client(base_url=node.url, headers={"X-API-KEY": token}, timeout=PATIENCE)


def test_what_one_is_told_the_other_knows(nodes: tuple[Installation, Installation]) -> None:
    one, two = nodes
    _, token = one.tenant("acme")
    with one.serving(), two.serving(), client(one, token) as told, client(two, token) as asked:
        for api in (told, asked):  # the same event through both is one
            assert api.post("/mailvane/v1/events", content=EVENT).is_success
        (mail,) = two.wait_for(lambda: asked.get("/mail/log").json()["emails"])
        assert mail["recipient"] == "ann@example.org"
        for api in (told, asked):
            assert api.get("/mail/stats", params={"time": "all"}).json()["sent"] == 1


def test_an_alert_is_told_once_though_both_watch(nodes: tuple[Installation, Installation]) -> None:
    one, two = nodes
    with ExitStack() as running:
        names = running.enter_context(NameServer({TRUE: {**POINTS, "9.2.0.192": "127.0.0.2"}}, {}).running())
        receiver = running.enter_context(Receiver().running())
        watching(nodes, names)
        _, token = one.tenant("acme")
        running.enter_context(one.serving())
        running.enter_context(two.serving())
        told, asked = running.enter_context(client(one, token)), running.enter_context(client(two, token))
        alert = told.post("/api/v1.0/alerts", json={"name": "a", "rules": [RULE], "webhook_url": receiver.url}).json()
        assert asked.post("/api/v1.0/ips", json={"ips": ["192.0.2.9"]}).is_success
        two.wait_for(lambda: receiver.received)
        time.sleep(5)  # long enough for the other to look, too
        assert len(receiver.received) == 1
        assert [len(api.get(f"/api/v1.0/alerts/{alert['id']}/log").json()["data"]) for api in (told, asked)] == [1, 1]


@pytest.mark.parametrize("within", [True, False], ids=["within a try", "between two tries"])
def test_what_a_killed_node_had_to_tell_the_other_tells(
    nodes: tuple[Installation, Installation], ledger: Ledger, within: bool
) -> None:
    one, two = nodes
    with ExitStack() as running:
        names = running.enter_context(NameServer({TRUE: {**POINTS, "9.2.0.192": "127.0.0.2"}}, {}).running())
        receiver = running.enter_context(Receiver(*(503,) * 50).running())
        watching(nodes, names)
        _, token = one.tenant("acme")
        if within:
            receiver.answering.clear()
        process = running.enter_context(one.starting("serve"))
        one.wait_until_ready()
        with client(one, token) as api:
            api.post("/api/v1.0/alerts", json={"name": "a", "rules": [RULE], "webhook_url": receiver.url})
            api.post("/api/v1.0/ips", json={"ips": ["192.0.2.9"]})
        tried = one.wait_for(lambda: receiver.received)[0].headers["webhook-id"]
        if not within:
            one.wait_for(lambda: ledger.outbox.notifications(1)[0].attempts)
        kill(process)
        receiver.answers.clear()
        receiver.answering.set()
        seen = len(receiver.received)
        running.enter_context(two.serving())
        # Nobody knows that the other is dead: what it took is taken again when the time is over that a try may take.
        held = ledger.outbox.let_go(time.time_ns() // 1_000_000, HOLD_MS)
        assert held or not within
        two.wait_for(lambda: len(receiver.received) > seen)
        assert {one.headers["webhook-id"] for one in receiver.received} == {tried}
