"""Requests begin a few in each turn of the loop, in the order in which they came."""

from __future__ import annotations

import asyncio

from mailvane.web.connection import Starting


def test_others_have_their_turn_between_requests_that_arrived_together() -> None:
    async def run() -> list[object]:
        starting, seen = Starting(at_once=3), list[object]()
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
