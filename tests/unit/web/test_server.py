"""The server on a real port: it answers, finishes what it has in hand, and does not share its port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.core.listening import Listen
from mailvane.maillog.queries import LogPage, LogQuestion
from mailvane.server.http import create_app
from mailvane.web.server import serve
from tests.waiting import PATIENCE
from tests.wire.world import World, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path) as running:
        yield running


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answering(client: httpx.AsyncClient) -> httpx.Response:
    while True:
        try:
            return await client.get("/ping")
        except httpx.ConnectError:
            await asyncio.sleep(0.01)


def half_a_request(world: World) -> bytes:
    return (
        f"POST /mailvane/v1/events HTTP/1.1\r\nHost: x\r\nX-API-KEY: {world.ours.token}\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{"
    ).encode()


def base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_it_answers_until_it_is_told_to_stop(world: World, port: int) -> None:
    async def run() -> str:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(create_app(world.services), Listen("127.0.0.1", port), stop))
        async with httpx.AsyncClient(base_url=base(port), trust_env=False) as client:
            text = (await answering(client)).text
            stop.set()
            await asyncio.wait_for(serving, 30)
            with pytest.raises(httpx.TransportError):
                await client.get("/ping")
        return text

    assert asyncio.run(run()) == "Server is up and running"


def test_a_request_in_hand_is_answered_before_the_end(world: World, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(_: LogQuestion) -> LogPage:
        asked.set()
        release.wait(PATIENCE)
        return LogPage(7, [])

    monkeypatch.setattr(world.maillog, "search", slow)

    async def run() -> httpx.Response:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(create_app(world.services), Listen("127.0.0.1", port), stop))
        async with httpx.AsyncClient(base_url=base(port), trust_env=False, timeout=PATIENCE) as client:
            await answering(client)
            request = asyncio.create_task(client.get("/mail/log", headers=world.ours.headers))
            await asyncio.to_thread(asked.wait, 30)
            stop.set()
            await asyncio.sleep(0.05)
            release.set()
            answer = await request
        await asyncio.wait_for(serving, 30)
        return answer

    assert asyncio.run(run()).json()["total"] == 7


def test_a_client_that_goes_away_in_the_middle_is_no_failure_of_ours(
    world: World, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> str:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(create_app(world.services), Listen("127.0.0.1", port), stop))
        async with httpx.AsyncClient(base_url=base(port), trust_env=False) as client:
            await answering(client)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half_a_request(world))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            counted = ""
            async with asyncio.timeout(30):
                while "/mailvane/v1/events" not in counted:
                    counted = (await client.get("/metrics")).text
        stop.set()
        await asyncio.wait_for(serving, 30)
        return counted

    assert 'route="/mailvane/v1/events",status="400"' in asyncio.run(run())
    assert "unexpected failure" not in caplog.text


def test_a_client_that_never_finishes_does_not_keep_the_server_from_ending(
    world: World, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(create_app(world.services), Listen("127.0.0.1", port), stop, grace=0.05))
        async with httpx.AsyncClient(base_url=base(port), trust_env=False) as client:
            await answering(client)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half_a_request(world))
            await writer.drain()
            await client.get("/ping")
            stop.set()
            await asyncio.wait_for(serving, 30)
        writer.close()

    asyncio.run(run())
    assert "some requests were not finished" in caplog.text


def test_a_port_that_is_taken_is_refused_with_one_line(world: World, port: int) -> None:
    async def run() -> None:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as this server's own sockets do
            other.bind(("127.0.0.1", port))
            other.listen()
            await serve(create_app(world.services), Listen("127.0.0.1", port), asyncio.Event())

    with pytest.raises(InvalidSetting, match=f"cannot listen on 127.0.0.1:{port}: another program does"):
        asyncio.run(run())


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_refused(world: World, port: int, host: str) -> None:
    with pytest.raises(InvalidSetting, match=f"cannot listen on {host}:{port}: .+"):
        asyncio.run(serve(create_app(world.services), Listen(host, port), asyncio.Event()))
