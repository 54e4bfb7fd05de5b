"""One tenant's key does not stop the others: bodies that cost more than they hold, and clients that leave."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import HTTP, Installation

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
        return HTTP.post(installation.url + EVENTS, content=EMPTY_MEMBERS, headers=headers, timeout=60).status_code

    def networks(_: int) -> int:
        names = [f"2001:db8:{n:x}::/116" for n in range(1000)]
        path = installation.url + "/api/v1.0/ips"
        return HTTP.post(path, json={"ips": names}, headers={"X-API-KEY": one}, timeout=60).status_code

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
        with socket.create_connection(("127.0.0.1", installation.port), timeout=30) as client:
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
                timeout=60,
            )
        except httpx.TransportError:
            return  # the server had ended
        if answer.status_code == 200:
            kept.append(number)

    with installation.serving() as server, ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, number) for number in range(8)]
        installation.wait_for(lambda: kept)
        server.terminate()
        assert server.wait(60) == 0
        for each in sending:
            each.result()
    with installation.serving():
        stored = installation.wait_for(lambda: _stored(installation, key, 2_000 * len(kept)))
        assert stored % 2_000 == 0


def _stored(installation: Installation, key: str, least: int) -> int:
    total = int(installation.get("/mail/log", key, limit=1)["total"])
    return total if total >= least else 0
