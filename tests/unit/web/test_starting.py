"""Requests begin a few in each turn of the loop, in the order in which they came."""

from __future__ import annotations

import asyncio
from itertools import count

from mailvane.web.connection import Starting


def test_others_have_their_turn_between_requests_that_arrived_together() -> None:
    async def run() -> list[object]:
        starting, seen = Starting(at_once=3, clock=count().__next__), list[object]()
        for number in range(8):
            starting.begin(lambda number=number: seen.append(number))  # type: ignore[misc]
        while len(starting):
            await asyncio.sleep(0)
            seen.append("health")
        await asyncio.sleep(0)
        starting.begin(lambda: seen.append("later"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(run()) == [0, 1, 2, "health", 3, 4, 5, "health", 6, 7, "health", "later"]


def test_more_begin_while_they_take_no_time() -> None:
    async def run() -> list[object]:
        seconds = [0.0]
        starting, seen = Starting(at_once=1, clock=lambda: seconds[0]), list[object]()

        def begin(number: int) -> None:
            seen.append(number)
            seconds[0] += 0.001

        for number in range(6):
            starting.begin(lambda number=number: begin(number))  # type: ignore[misc]
        while len(starting):
            await asyncio.sleep(0)
            seen.append("health")
        return seen

    assert asyncio.run(run()) == [0, 1, 2, 3, "health", 4, 5, "health"]


def test_no_more_than_so_many_begin_in_one_turn_however_quick_they_are() -> None:
    async def run() -> list[object]:
        starting, seen = Starting(clock=lambda: 0.0, at_most=3), list[object]()
        for number in range(5):
            starting.begin(lambda number=number: seen.append(number))  # type: ignore[misc]
        while len(starting):
            await asyncio.sleep(0)
            seen.append("health")
        return seen

    assert asyncio.run(run()) == [0, 1, 2, "health", 3, 4, "health"]
