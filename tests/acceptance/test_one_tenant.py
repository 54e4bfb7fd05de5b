"""One tenant's key does not stop the others: bodies that cost more than they hold, and clients that leave."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from mailvane.reputation.model import Observation, ObservationKind
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import HTTP, Installation
from tests.waiting import PATIENCE

EMPTY_MEMBERS = gzip.compress(b"") * 1_000_000  # 20 MB
LARGE = b'{"id":"x"}\n' * 90_000
EVENTS = "/mailvane/v1/events"


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[tuple[Installation, str, str]]:
    """A server with two workspaces, and a key of each. That it ends when it is told to is part of each test."""
    installation = Installation(tmp_path)
    _, one = installation.tenant("one")
    _, other = installation.tenant("other")
    with installation.serving():
        yield installation, one, other


def test_what_costs_more_than_it_holds_is_refused_and_others_are_answered(
    tenants: tuple[Installation, str, str],
) -> None:
    installation, one, other = tenants

    def packed(_: int) -> int:
        headers = {"X-API-KEY": one, "Content-Encoding": "gzip", "Content-Type": "application/x-ndjson"}
        return HTTP.post(
            installation.url + EVENTS, content=EMPTY_MEMBERS, headers=headers, timeout=PATIENCE
        ).status_code

    def networks(_: int) -> int:
        names = [f"2001:db8:{n:x}::/116" for n in range(1000)]
        path = installation.url + "/api/v1.0/ips"
        return HTTP.post(path, json={"ips": names}, headers={"X-API-KEY": one}, timeout=PATIENCE).status_code

    with ThreadPoolExecutor(8) as pool:
        attacks = [*(pool.submit(packed, n) for n in range(4)), *(pool.submit(networks, n) for n in range(4))]
        for _ in range(5):
            assert installation.get("/api/v1.0/alerts", other)["data"] == []
        codes = [attack.result() for attack in attacks]
    assert set(codes[:4]) <= {413, 503}
    assert codes[4:] == [400] * 4


def test_clients_that_leave_take_their_work_with_them(tenants: tuple[Installation, str, str]) -> None:
    installation, one, other = tenants
    head = (
        f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nX-API-KEY: {one}\r\nContent-Type: application/x-ndjson\r\n"
        f"Content-Length: {len(LARGE)}\r\n\r\n"
    )
    for _ in range(12):
        with socket.create_connection(("127.0.0.1", installation.port), timeout=PATIENCE) as client:
            client.sendall(head.encode() + LARGE)
    assert installation.get("/api/v1.0/alerts", other)["data"] == []
    assert installation.get("/api/v1.0/alerts", one)["data"] == []


def test_what_was_acknowledged_before_the_server_was_told_to_end_is_kept(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    _, key = installation.tenant("one")
    kept: list[int] = []

    def send(number: int) -> None:
        names = range(number * 2_000, (number + 1) * 2_000)
        lines = (
            f'{{"id":"{name}","type":"accepted","time":1790000000,"mail":"m{name}","recipient":"c@d.example"}}\n'
            for name in names
        )
        try:
            answer = HTTP.post(
                installation.url + EVENTS,
                content="".join(lines).encode(),
                headers={"X-API-KEY": key, "Content-Type": "application/x-ndjson"},
                timeout=PATIENCE,
            )
        except httpx.TransportError:
            return  # the server had ended
        if answer.status_code == 200:
            kept.append(number)

    with installation.serving() as server, ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, number) for number in range(8)]
        installation.wait_for(lambda: kept)
        server.terminate()
        assert server.wait(PATIENCE) == 0
        for each in sending:
            each.result()
    with installation.serving():
        stored = installation.wait_for(lambda: _stored(installation, key, 2_000 * len(kept)))
        assert stored % 2_000 == 0


def _stored(installation: Installation, key: str, least: int) -> int:
    total = int(installation.get("/mail/log", key, limit=1)["total"])
    return total if total >= least else 0


def abandoned(installation: Installation) -> float:
    """How much work was ended on its thread because nobody waited for it any more."""
    text = HTTP.get(f"{installation.url}/metrics", timeout=PATIENCE).text
    return float(
        next(line.split()[1] for line in text.splitlines() if line.startswith("mailvane_http_abandoned_total"))
    )


def leave(installation: Installation, path: str, key: str, body: bytes, *headers: str) -> None:
    """Ask, and go before there can be an answer."""
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"X-API-KEY: {key}", f"Content-Length: {len(body)}", *headers)
    with socket.create_connection(("127.0.0.1", installation.port), timeout=PATIENCE) as client:
        client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def test_a_backtest_ends_on_its_thread_when_its_client_leaves(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    _, one = installation.tenant("one")
    _, other = installation.tenant("other")
    now = time.time_ns() // 1_000_000
    with closing(open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")) as ledger:
        ledger.observations.observe(1, [_listing(number, now - number * 60_000) for number in range(6_000)])
    rule = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
    body = json.dumps({"alert": {"name": "x", "rules": [rule]}}).encode()
    with installation.serving():

        def is_ended() -> bool:
            """One that left before its work began is not counted: it is tried again then."""
            leave(installation, "/mailvane/v1/alerts/backtest", one, body, "Content-Type: application/json")
            assert installation.get("/api/v1.0/alerts", other)["data"] == []
            return abandoned(installation) >= 1

        assert abandoned(installation) == 0
        installation.wait_for(is_ended)
        answer = HTTP.post(
            f"{installation.url}/mailvane/v1/alerts/backtest",
            json={"alert": {"name": "x", "rules": [rule]}, "period_from": now - 3_600_000},
            headers={"X-API-KEY": one},
            timeout=PATIENCE,
        )
        assert answer.status_code == httpx.codes.OK, "the thread is free"


def _listing(number: int, at: int) -> Observation:
    return Observation(
        kind=ObservationKind.IP_LISTING,
        asset=f"198.51.{number // 250}.{number % 250}",
        key="bl.example",
        at=at,
        seen_at=at,
        data={"listed": True},
    )


def test_bodies_of_clients_that_left_are_not_read_on(tenants: tuple[Installation, str, str]) -> None:
    installation, one, other = tenants
    line = b'{"id":"%d","type":"accepted","time":1790000000,"mail":"%d","recipient":"c@d.example"}\n'
    body = b"".join(line % (number, number) for number in range(100_000)) + b"no event"

    def is_ended() -> bool:
        leave(installation, EVENTS, one, body, "Content-Type: application/x-ndjson")
        leave(installation, EVENTS, one, EMPTY_MEMBERS, "Content-Type: application/x-ndjson", "Content-Encoding: gzip")
        assert installation.get("/api/v1.0/alerts", other)["data"] == []
        return abandoned(installation) >= 1

    installation.wait_for(is_ended)

    def is_free() -> bool:
        """Bodies of those who left may still wait for their turn."""
        headers = {"X-API-KEY": one, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        answer = HTTP.post(installation.url + EVENTS, content=EMPTY_MEMBERS, headers=headers, timeout=PATIENCE)
        return answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE

    installation.wait_for(is_free)


def test_events_that_wait_for_a_commit_are_bounded(tenants: tuple[Installation, str, str]) -> None:
    """Ten requests of 100,000 events each: some are kept, others are told to come again, and nobody else waits."""
    installation, one, other = tenants
    line = b'{"id":"%d-%d","type":"accepted","time":1790000000,"mail":"%d","recipient":"c@d.example"}\n'

    def send(request: int) -> httpx.Response:
        body = gzip.compress(b"".join(line % (request, number, number) for number in range(100_000)), 1)
        headers = {"X-API-KEY": one, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        return HTTP.post(installation.url + EVENTS, content=body, headers=headers, timeout=2 * PATIENCE)

    with ThreadPoolExecutor(10) as pool:
        sending = [pool.submit(send, request) for request in range(10)]
        assert installation.get("/api/v1.0/alerts", other)["data"] == []
        answers = [each.result() for each in sending]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert any(answer.status_code == 200 for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "5"
    kept = sum(answer.json()["accepted"] for answer in answers if answer.status_code == 200)
    assert kept % 100_000 == 0
