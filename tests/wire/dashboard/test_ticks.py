"""The stream of an open page, from a server on a real port: what it tells, to whom, how many, and when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.core.listening import Listen
from mailvane.dashboard.people.model import Role
from mailvane.server.http import create_app
from mailvane.web.server import serve
from tests.ports import free_port
from tests.waiting import PATIENCE
from tests.wire.dashboard.browsing import fill, member
from tests.wire.world import NOW, World, accepted, opened

Told = list[tuple[str, str]]  # name and id of each event


class Tab:
    """What one open page hears."""

    def __init__(self, answer: httpx.Response) -> None:
        self.headers = answer.headers
        self.lines = answer.aiter_lines()

    async def told(self, count: int) -> Told:
        """The next events."""
        found: Told = []
        name = ""
        async for line in self.lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                found.append((name, value))
            if len(found) == count:
                break
        return found


class Served:
    """A server, and the way to it."""

    def __init__(self, world: World, client: httpx.AsyncClient, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.world = world
        self.client = client
        self.stop = stop

    def version(self) -> str:
        return self.world.services.dashboard.changes.drawn(self.world.ours.workspace.id, NOW)

    @asynccontextmanager
    async def stream(self, cookie: str, known: str, **headers: str) -> AsyncIterator[Tab]:
        at = f"/ui/{self.world.ours.workspace.id}/ticks"
        sent = {"cookie": f"mailvane={cookie}", **headers}
        async with self.client.stream("GET", at, params={"v": known}, headers=sent) as answer:
            yield Tab(answer)


def served(directory: Path, play: Callable[[Served], Coroutine[Any, Any, None]]) -> None:
    """What is played against a server, which then ends."""

    async def run(world: World) -> None:
        port, stop = free_port(), asyncio.Event()
        serving = asyncio.create_task(
            serve(create_app(world.services), Listen("127.0.0.1", port), stop, grace=PATIENCE)
        )

        async def stopped() -> None:
            stop.set()
            await serving

        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE, limits=limits
        ) as client:
            while not await answers(client):
                await asyncio.sleep(0.01)
            await play(Served(world, client, stopped))
        await stopped()

    with opened(directory) as world:
        asyncio.run(run(world))


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ping")).is_success
    except httpx.ConnectError:
        return False


def test_a_page_hears_of_what_came_since_it_was_drawn(tmp_path: Path) -> None:
    async def play(one: Served) -> None:
        cookie = member(one.world, Role.VIEWER).cookie
        drawn = one.version()
        one.world.record(one.world.ours, accepted(one.world.ours, "ann@isp.example"))
        async with one.stream(cookie, drawn) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert [name for name, _ in await answer.told(1)] == ["log"], "between page and stream nothing is lost"
        async with one.stream(cookie, one.version()) as answer:
            await asyncio.to_thread(fill, one.world, one.world.ours, "hello")
            names = {name for name, _ in await answer.told(3)}
            assert names == {"log", "alerts", "domains"}

    served(tmp_path, play)


def test_a_version_of_another_process_is_an_old_one(tmp_path: Path) -> None:
    async def play(one: Served) -> None:
        cookie = member(one.world, Role.VIEWER).cookie
        async with one.stream(cookie, one.version(), **{"last-event-id": "0a0b0c0d.7.7.7"}) as answer:
            found = await answer.told(3)
        assert [name for name, _ in found] == ["log", "alerts", "domains"]
        assert {version for _, version in found} == {one.version()}

    served(tmp_path, play)


def test_other_workspaces_are_not_heard(tmp_path: Path) -> None:
    async def play(one: Served) -> None:
        world, cookie = one.world, member(one.world, Role.VIEWER).cookie
        async with one.stream(cookie, one.version()) as answer:
            await asyncio.to_thread(fill, world, world.theirs, "secret")
            world.record(world.ours, accepted(world.ours, "ann@isp.example"))
            assert [name for name, _ in await answer.told(1)] == ["log"]
        theirs = f"/ui/{world.theirs.workspace.id}/ticks"
        assert (await one.client.get(theirs, headers={"cookie": f"mailvane={cookie}"})).status_code == 404
        assert (await one.client.get(theirs)).status_code == 401
        assert (await one.client.head(f"/ui/{world.ours.workspace.id}/ticks")).status_code == 401

    served(tmp_path, play)


def test_a_server_that_ends_waits_for_no_stream(tmp_path: Path) -> None:
    async def play(one: Served) -> None:
        cookie = member(one.world, Role.VIEWER).cookie
        async with AsyncExitStack() as streams:
            opened = [await streams.enter_async_context(one.stream(cookie, one.version())) for _ in range(3)]
            await one.stop()  # the grace of this server is the patience of the tests
            for answer in opened:
                assert [line async for line in answer.lines if line.startswith("event")] == []

    served(tmp_path, play)


def test_fifty_tabs_take_no_threads_and_one_more_is_asked_to_come_later(tmp_path: Path) -> None:
    async def play(one: Served) -> None:
        world, cookie = one.world, member(one.world, Role.VIEWER).cookie
        other = member(world, Role.OPERATOR).cookie
        drawn = one.version()
        async with AsyncExitStack() as streams:
            first = await streams.enter_async_context(one.stream(cookie, "other"))
            await first.told(3)
            threads = threading.active_count()
            tabs = [await streams.enter_async_context(one.stream(cookie, drawn)) for _ in range(49)]
            assert threading.active_count() <= threads + 4  # those that prove who asks, however many ask
            async with one.stream(cookie, drawn) as answer:
                lines = [line async for line in answer.lines]
            assert lines[:2] == ["retry: 30000", "event: busy"]
            async with one.stream(other, "other") as answer:
                assert len(await answer.told(3)) == 3, "another person still gets one"
            world.record(world.ours, accepted(world.ours, "ann@isp.example"))
            heard = await asyncio.gather(*(each.told(1) for each in tabs))
            assert {name for each in heard for name, _ in each} == {"log"}
        async with one.stream(cookie, "other") as answer:
            assert len(await answer.told(3)) == 3, "places are given back"

    served(tmp_path, play)


@pytest.mark.parametrize("by_itself", [True, False])
def test_what_a_page_asks_by_itself_keeps_no_session_alive(tmp_path: Path, by_itself: bool) -> None:
    with opened(tmp_path) as world:
        people = world.services.dashboard.people
        browser = member(world, Role.VIEWER)
        visitor = people.visitor(browser.cookie, NOW)
        world.ledger.people.touch(visitor.session.id, NOW - 3_600_000)
        headers = {"hx-request": "true"} if by_itself else {}
        assert browser.get(f"/ui/{world.ours.workspace.id}", **headers).status_code == 200
        seen = people.visitor(browser.cookie, NOW, by_itself=True).session.seen_at
        assert seen == (NOW - 3_600_000 if by_itself else NOW)
        browser.cookie = ""
        answer = browser.get(f"/ui/{world.ours.workspace.id}", **headers)
        assert answer.status_code == (401 if by_itself else 303)
        assert answer.headers["hx-redirect" if by_itself else "location"] == "/ui/login"
