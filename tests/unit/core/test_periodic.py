"""What runs again and again: a failure does not end it, a cancellation does, and who is woken does not sleep on."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.core.periodic import every, in_background, until_done

HOUR = 3600.0
PATIENCE = 120.0  # for a machine with other work; no test waits for it to pass


class Rounds:
    """Ends as it is told to, round by round; then with nothing. `enough` is set in the round after the last of them."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.count = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> object:
        self.count += 1
        if not self.ends:
            self.enough.set()
            return None
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


async def until_enough(task: asyncio.Task[None], rounds: Rounds) -> None:
    async with asyncio.timeout(PATIENCE):
        await rounds.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_failure_is_logged_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        rounds = Rounds(StoreUnavailable("the ledger is away"), ValueError("a mistake"))
        await until_enough(asyncio.create_task(every(0, "counting", rounds)), rounds)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert caplog.messages == ["counting: the ledger is away", "counting failed"]


def test_it_does_not_pause_while_there_is_more_to_do() -> None:
    async def scene() -> int:
        rounds = Rounds(True, True)
        await until_enough(asyncio.create_task(every(HOUR, "delivering", rounds)), rounds)
        return rounds.count

    assert asyncio.run(scene()) == 3


def test_who_is_woken_does_not_wait_for_the_pause_to_end() -> None:
    async def scene() -> int:
        wake, rounds = asyncio.Event(), Rounds(None)
        task = asyncio.create_task(every(HOUR, "asking", rounds, wake))
        async with asyncio.timeout(PATIENCE):
            while not rounds.count:
                await asyncio.sleep(0)
        wake.set()
        await until_enough(task, rounds)
        return rounds.count

    assert asyncio.run(scene()) == 2


def test_what_is_to_be_done_once_is_tried_until_it_is_done() -> None:
    async def scene() -> int:
        rounds = Rounds(StoreUnavailable("away"), StoreUnavailable("away"))
        async with asyncio.timeout(PATIENCE):
            await until_done(0, "catching up", rounds)
        return rounds.count

    assert asyncio.run(scene()) == 3


def test_nothing_runs_in_the_background_when_the_block_is_over() -> None:
    async def scene() -> list[str]:
        seen: list[str] = []

        async def background() -> None:
            seen.append("began")
            try:
                await asyncio.sleep(HOUR)
            finally:
                seen.append("ended")

        async with in_background([background, background]):
            while len(seen) < 2:
                await asyncio.sleep(0)
        return seen

    assert asyncio.run(scene()) == ["began", "began", "ended", "ended"]
