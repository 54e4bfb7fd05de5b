"""Two servers on one PostgreSQL and one ClickHouse: what one is told the other knows, and nothing is done twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
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

MASTER_TOKEN = "the-one-token-of-all-nodes"
EVENT = (
    '{"id": "e-1", "type": "delivered", "mail": "m-1", "accepted_at": "2026-09-21T10:00:00Z",'
    ' "time": "2026-09-21T10:00:02Z", "sender": "bob@example.com", "recipient": "ann@example.org"}'
)


@pytest.fixture
def nodes(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[Installation, Installation]]:
    """Two installations that share their stores; none runs yet."""
    if clickhouse_server.engine_file() is None:
        pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
    name = f"ledger_{uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name}")
    with clickhouse_server.servers(1, tmp_path / "clickhouse") as (port,):
        pair = (Installation(tmp_path / "one"), Installation(tmp_path / "two"))
        for node in pair:
            node.environment["MAILVANE_MASTER_TOKEN"] = MASTER_TOKEN
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


def test_a_node_is_listed_while_it_runs_and_refused_with_another_master_token(
    nodes: tuple[Installation, Installation],
) -> None:
    one, two = nodes
    with one.serving():
        (first,) = one.answer("node", "list")
        assert (first["address"], first["roles"]) == (one.url, ["http", "policy", "smtp", "worker"])
        own, two.environment["MAILVANE_MASTER_TOKEN"] = two.environment["MAILVANE_MASTER_TOKEN"], "another-token"
        refused = two.run("serve", succeeds=False)
        assert refused.returncode == 1
        assert f"this node's master token is not that of {first['name']}" in refused.stderr
        two.environment["MAILVANE_MASTER_TOKEN"] = own
        with two.starting("serve") as process:
            two.wait_until_ready()
            assert [node["address"] for node in one.answer("node", "list")].count(two.url) == 1
            kill(process)
        assert len(two.answer("node", "list")) == 2, "it did not say that it ends"
    assert [node["address"] for node in two.answer("node", "list")] == [two.url]


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


def hammered(node: Installation, token: str, stop: Event) -> list[tuple[float, int]]:
    """When each of many requests was begun, and its status."""
    seen: list[tuple[float, int]] = []
    with client(node, token) as api:
        while not stop.is_set():
            began = time.monotonic()
            seen.append((began, api.get("/mailvane/v1/keys").status_code))
    return seen


def test_what_is_taken_back_on_one_node_opens_nothing_on_the_other_a_second_later(
    nodes: tuple[Installation, Installation],
) -> None:
    """Under load: a key that is revoked, one that was given an end, and those of a workspace that is removed."""
    one, two = nodes
    _, revoked = one.tenant("acme")
    _, ended = one.tenant("ended")
    _, removed = one.tenant("gone")
    tokens = (revoked, ended, removed)
    with ExitStack() as running:
        running.enter_context(one.serving())
        running.enter_context(two.serving())
        master = running.enter_context(client(one, MASTER_TOKEN))
        threads = running.enter_context(ThreadPoolExecutor(6))
        keys = {each["hint"]: each for each in master.get("/mailvane/v1/keys").json()}
        stop = Event()
        running.callback(stop.set)
        load = {token: [threads.submit(hammered, two, token, stop) for _ in range(2)] for token in tokens}
        two.wait_for(lambda: all(each["last_used_at"] for each in master.get("/mailvane/v1/keys").json()))
        told: dict[str, float] = {}
        first, second, third = (keys[token[:12]] for token in tokens)
        assert master.delete(f"/mailvane/v1/keys/{first['id']}").status_code == 204
        told[revoked] = time.monotonic()
        soon = int(time.time() * 1000) + 500
        assert master.patch(f"/mailvane/v1/keys/{second['id']}", json={"expires_at": soon}).is_success
        told[ended] = time.monotonic() + 0.5
        gone = master.delete(f"/mailvane/v1/workspaces/{third['workspace']}", params={"name": "gone"})
        assert (gone.status_code, gone.json()["name"]) == (200, "gone")
        told[removed] = time.monotonic()
        assert [each["name"] for each in master.get("/mailvane/v1/workspaces").json()] == ["acme", "ended"]

        def refused(token: str) -> bool:
            with client(two, token) as api:
                return api.get("/mailvane/v1/keys").status_code == httpx.codes.UNAUTHORIZED

        two.wait_for(lambda: all(refused(token) for token in tokens))
        stop.set()
        for token, workers in load.items():
            seen = [each for worker in workers for each in worker.result()]
            assert {status for _, status in seen} == {200, 401}
            late = [began - told[token] for began, status in seen if status == httpx.codes.OK]
            assert max(late) < 1.0  # counted from when a request was begun, so a slow machine does not matter
