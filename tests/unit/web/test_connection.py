"""Connections to a server with narrow limits: what is slow or too much ends, and everybody else is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailvane.core.connections import ConnectionLimits
from mailvane.core.listening import Listen
from mailvane.server.http import create_app
from mailvane.web.connection import HttpLimits
from mailvane.web.held_bytes import HeldLimits
from mailvane.web.server import serve
from tests.ports import free_port
from tests.wire.world import World, opened

PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_HEAD = b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Slow: "
QUICK = HttpLimits(
    head_seconds=0.1, idle_seconds=0.1, body_seconds=0.1, write_seconds=0.1, discard_seconds=0.1, slowest_rate=1 << 40
)
SMALL = HttpLimits(
    connections=ConnectionLimits(total=8, per_peer=8),
    held=HeldLimits(unproven=200_000, unproven_per_peer=200_000, per_peer=400_000, total=400_000),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(Path(tmp_path_factory.mktemp("world"))) as running:
        yield running


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body; status 0 when the server closed the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        return int(head.split(b" ")[1]), await self.reader.readexactly(int(fields.get(b"content-length", b"0")))

    async def status(self) -> int:
        return (await self.answer())[0]


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def served(world: World, limits: HttpLimits) -> AsyncIterator[Connect]:
    stop, port = asyncio.Event(), free_port()
    serving = asyncio.create_task(serve(create_app(world.services), Listen("127.0.0.1", port), stop, limits, 5))
    clients: list[Client] = []

    async def connect() -> Client:
        while True:
            try:
                clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                return clients[-1]

    try:
        yield connect
    finally:
        stop.set()
        await serving
        for each in clients:
            each.writer.close()


def run(world: World, limits: HttpLimits, body: Callable[[Connect], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), served(world, limits) as connect:
            await body(connect)

    asyncio.run(bounded())


def post(path: str, length: int, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: text/plain", f"Content-Length: {length}", *lines, "", ""]
    return "\r\n".join(head).encode()


def with_key(world: World, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-KEY: {world.ours.token}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 0),
        (HALF_HEAD, 408),
        (b"\r\n\r\n", 0),
        (PING + HALF_HEAD, 408),
        (PING, 0),
        (post("/webhooks/ses", 1000) + b"half", 408),
        (post("/mailvane/v1/events", 1000) + b"half", 0),
    ],
    ids=["nothing", "half a head", "empty lines", "half a second head", "idle", "half a body", "half an unwanted body"],
)
def test_whoever_does_not_go_on_is_let_go(world: World, sent: bytes, status: int) -> None:
    async def body(connect: Connect) -> None:
        client = await connect()
        await client.send(sent)
        if sent.startswith(PING):
            assert await client.answer() == (200, b"Server is up and running")
        if b"/events" in sent:
            assert await client.status() == 401
        assert await client.status() == status
        assert await client.reader.read() == b""

    run(world, QUICK, body)


def test_whoever_does_not_take_the_answer_is_let_go(world: World) -> None:
    async def body(connect: Connect) -> None:
        client = await connect()
        taker = client.writer.get_extra_info("socket")
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        while True:  # the server does not read on while it cannot write: only a connection that is gone refuses more
            try:
                await asyncio.wait_for(client.send(PING * 10_000), 0.5)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert await (await ready(connect)).status() == 200

    run(world, QUICK, body)


async def ready(connect: Connect) -> Client:
    client = await connect()
    await client.send(PING)
    return client


def test_a_body_that_comes_steadily_may_take_longer(world: World) -> None:
    limits = HttpLimits(body_seconds=0.1, slowest_rate=1)

    async def body(connect: Connect) -> None:
        client = await connect()
        await client.send(post("/webhooks/ses", 7) + b"gen")
        await asyncio.sleep(2.2)
        await client.send(b"uine")
        assert await client.status() == 200

    run(world, limits, body)


def test_new_ones_are_answered_however_many_wait(world: World) -> None:
    async def body(connect: Connect) -> None:
        known = await connect()
        await known.send(with_key(world, "/mail"))
        assert await known.status() == 200
        waiting = [await connect() for _ in range(40)]
        for each in waiting[20:]:
            await each.send(HALF_HEAD)
        assert await (await ready(connect)).answer() == (200, b"Server is up and running")
        await known.send(with_key(world, "/mail"))
        assert await known.status() == 200, "who has shown a key keeps the place"
        assert await waiting[0].status() == 0

    run(world, SMALL, body)


def test_bodies_of_strangers_are_given_up_when_they_are_too_many(world: World) -> None:
    async def body(connect: Connect) -> None:
        halves = []
        for _ in range(6):
            halves.append(await connect())
            await halves[-1].send(post("/webhooks/ses", 200_000), b"x" * 90_000)
            assert await (await ready(connect)).status() == 200
        assert [await each.status() for each in halves[:4]] == [503] * 4
        genuine = await connect()
        await genuine.send(post("/webhooks/ses", 7) + b"genuine")
        assert await genuine.status() == 200

    run(world, SMALL, body)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /ping?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 101 + b"\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * 600_000,
    ],
    ids=["address", "lines", "one endless line"],
)
def test_a_head_has_bounds(world: World, head: bytes) -> None:
    async def body(connect: Connect) -> None:
        client = await connect()
        try:
            await client.send(*(head[start : start + 50_000] for start in range(0, len(head), 50_000)))
        except ConnectionError:
            return  # it was closed while we were still talking
        assert await client.status() in {431, 0}

    run(world, HttpLimits(), body)


def test_an_unwanted_body_does_not_end_the_connection_unless_it_was_not_asked_for(world: World) -> None:
    async def body(connect: Connect) -> None:
        client = await connect()
        await client.send(post("/mailvane/v1/events", 5) + b"first" + PING)
        assert [await client.status(), await client.status()] == [401, 200]
        asking = await connect()
        await asking.send(post("/mailvane/v1/events", 5, "Expect: 100-continue"))
        assert [await asking.status(), await asking.status()] == [401, 0]
        welcome = await connect()
        await welcome.send(post("/webhooks/ses", 7, "Expect: 100-continue"))
        assert await welcome.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await welcome.send(b"genuine")
        assert await welcome.status() == 200

    run(world, HttpLimits(), body)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("HTTP/1.1\r\nHost: x", 200),
        ("HTTP/1.1\r\nHost:", 200),
        ("HTTP/1.1\r\nHost: [::1]:8225", 200),
        ("HTTP/1.0", 200),
        ("HTTP/1.0\r\nHost: x", 200),
        ("HTTP/1.1", 400),
        ("HTTP/1.1\r\nHost: x\r\nHost: x", 400),
        ("HTTP/1.0\r\nHost: x\r\nHost: y", 400),
        ("HTTP/1.1\r\nHost: x/y", 400),
        ("HTTP/1.1\r\nHost: a b", 400),
        ("HTTP/1.1\r\nHost: x@y", 400),
    ],
)
def test_it_has_to_be_clear_which_host_is_meant(world: World, head: str, status: int) -> None:
    async def body(connect: Connect) -> None:
        for path in ("/ping", "/healthz"):
            client = await connect()
            await client.send(f"GET {path} {head}\r\n\r\n".encode())
            assert await client.status() == status

    run(world, HttpLimits(), body)


def test_many_requests_at_once_are_answered_in_order(world: World) -> None:
    async def body(connect: Connect) -> None:
        client = await connect()
        await client.send((PING + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") * 50)
        answers = [(await client.answer())[1] for _ in range(100)]
        assert answers == [b"Server is up and running", b"ok\n"] * 50

    run(world, HttpLimits(), body)


def test_the_end_does_not_wait_for_a_strangers_body(world: World) -> None:
    async def body() -> None:
        async with asyncio.timeout(60), served(world, HttpLimits()) as connect:
            client = await connect()
            await client.send(post("/webhooks/ses", 1000) + b"half")
            await (await ready(connect)).status()
        assert await client.reader.read(12) == b"HTTP/1.1 503"

    asyncio.run(body())
