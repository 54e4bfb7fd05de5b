"""Turns: fair among tenants, in order within one, and no place is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.web.turns import Turns


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Queue:
    """Asks for turns, each of which lasts until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._turn(name))
        await settle()

    async def _turn(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.begun.append(name)
            await self.ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await settle()


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    async def run() -> list[str]:
        queue = Queue(Turns(2))
        await queue.ask("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        assert queue.begun == ["a1", "b1"]
        await queue.end("a1", "b1", "a2", "b2", "c1", "a3", "a4")
        return queue.begun

    assert asyncio.run(run()) == ["a1", "b1", "a2", "b2", "c1", "a3", "a4"]


def test_one_that_leaves_the_queue_takes_no_place_with_it() -> None:
    async def run() -> list[str]:
        queue = Queue(Turns(1))
        await queue.ask("a1", "a2", "b1")
        for name in ("a2", "a1"):
            queue.tasks[name].cancel()
            with suppress(asyncio.CancelledError):
                await queue.tasks[name]
        await queue.end("b1")
        await queue.ask("a3")
        await queue.end("a3")
        return queue.begun

    assert asyncio.run(run()) == ["a1", "b1", "a3"]


def test_a_place_given_to_one_that_leaves_at_that_moment_goes_on() -> None:
    async def run() -> list[str]:
        queue = Queue(Turns(1))
        await queue.ask("a1", "a2", "b1")
        queue.ends["a1"].set()
        while queue.tasks["a1"].done() is False:
            await asyncio.sleep(0)
        for name in ("a2", "b1"):
            if name not in queue.begun:
                queue.tasks[name].cancel()
        await settle()
        await queue.ask("c1")
        for name in queue.begun[1:]:
            queue.ends[name].set()
        await settle()
        return queue.begun

    assert "c1" in asyncio.run(run())


def test_too_many_of_one_tenant_are_refused_and_others_are_not() -> None:
    async def run() -> None:
        queue = Queue(Turns(1, most_waiting=2))
        await queue.ask("a1", "a2", "a3")
        with pytest.raises(StoreUnavailable, match="2 questions of this workspace wait already"):
            await queue._turn("a4")
        await queue.ask("b1")
        await queue.end("a1", "a2", "b1", "a3")
        assert queue.begun == ["a1", "a2", "b1", "a3"]

    asyncio.run(run())


def test_the_master_who_has_no_workspace_has_turns_too() -> None:
    async def run() -> bool:
        turns = Turns(2)
        for tenant in (None, 1, None):
            async with asyncio.timeout(10), turns.turn(tenant):
                pass
        return True

    assert asyncio.run(run())
