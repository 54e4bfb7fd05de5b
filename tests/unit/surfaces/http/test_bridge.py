"""The bridge onto threads: the loop keeps turning, pools do not wait for each other, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mailvane.errors import NotFound, StoreUnavailable
from mailvane.surfaces.http.bridge import Bridge


def test_work_is_done_on_another_thread_and_its_result_comes_back() -> None:
    async def cross() -> list[str]:
        bridge = Bridge()
        try:
            return [
                await crossing(lambda: threading.current_thread().name)
                for crossing in (bridge.analytical, bridge.quick, bridge.lengthy, bridge.upkeep)
            ]
        finally:
            bridge.close()

    assert [name.partition("_")[0] for name in asyncio.run(cross())] == ["analytical", "quick", "lengthy", "upkeep"]


def test_an_exception_comes_back_as_it_is() -> None:
    def fail(name: str, *, times: int) -> None:
        raise NotFound(f"{name} {times}")

    async def cross() -> None:
        bridge = Bridge()
        try:
            await bridge.quick(fail, "nothing", times=2)
        finally:
            bridge.close()

    with pytest.raises(NotFound, match="nothing 2"):
        asyncio.run(cross())


def test_quick_work_passes_a_question_that_takes_long() -> None:
    answered = threading.Event()

    async def cross() -> bool:
        bridge = Bridge(analytical_threads=1)
        try:
            long = asyncio.create_task(bridge.analytical(answered.wait, 30))
            await bridge.quick(answered.set)  # would wait for ever behind the question on one pool
            return await long
        finally:
            bridge.close()

    assert asyncio.run(cross())


def test_quick_work_passes_any_number_of_large_files() -> None:
    answered = threading.Event()

    async def cross() -> list[bool]:
        bridge = Bridge()
        try:
            long = [asyncio.create_task(bridge.lengthy(answered.wait, 30)) for _ in range(10)]
            await bridge.quick(answered.set)
            return await asyncio.gather(*long)
        finally:
            bridge.close()

    assert asyncio.run(cross()) == [True] * 10


def test_a_question_that_takes_too_long_is_given_up() -> None:
    release = threading.Event()

    async def cross() -> None:
        bridge = Bridge(patience=0.01)
        try:
            await bridge.analytical(release.wait, 30)
        finally:
            release.set()
            bridge.close()

    with pytest.raises(StoreUnavailable, match=r"within 0\.01 s"):
        asyncio.run(cross())


def test_a_closed_bridge_lets_what_was_begun_end() -> None:
    ended: list[int] = []

    async def cross() -> None:
        bridge = Bridge()
        begun = asyncio.create_task(bridge.quick(ended.append, 1))
        await asyncio.sleep(0)
        bridge.close()
        await begun

    asyncio.run(cross())
    assert ended == [1]
