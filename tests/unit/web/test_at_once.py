"""A coroutine that is begun where it is made."""

from __future__ import annotations

import asyncio
import inspect
from contextvars import ContextVar

import pytest

from mailvane.web.at_once import begun

WHOSE: ContextVar[str] = ContextVar("WHOSE", default="nobody")


def test_what_waits_for_nothing_has_ended_already() -> None:
    done: list[str] = []

    async def answer() -> None:
        done.append("answered")

    async def turn() -> None:
        assert begun(answer()) is None
        assert done == ["answered"]

    asyncio.run(turn())


def test_what_has_to_wait_goes_on_as_a_task_in_the_context_that_it_began_in() -> None:
    seen: list[str] = []

    async def answer(first: asyncio.Future[str], second: asyncio.Future[str]) -> None:
        token = WHOSE.set("mine")
        seen.append(await first)
        await asyncio.sleep(0)
        seen.append(await second)
        seen.append(WHOSE.get())
        WHOSE.reset(token)

    async def turns() -> None:
        first, second = asyncio.Future[str](), asyncio.Future[str]()
        rest = begun(answer(first, second))
        assert rest is not None
        assert WHOSE.get() == "nobody"
        first.set_result("first")
        second.set_result("second")
        await rest

    asyncio.run(turns())
    assert seen == ["first", "second", "mine"]


def test_a_failure_is_raised_where_it_happens() -> None:
    async def fails(waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no")

    async def turns() -> None:
        with pytest.raises(ValueError, match="no"):
            begun(fails(waits=False))
        rest = begun(fails(waits=True))
        assert rest is not None
        with pytest.raises(ValueError, match="no"):
            await rest

    asyncio.run(turns())


def test_the_rest_can_be_cancelled_and_may_finish_what_it_must() -> None:
    tidied: list[str] = []

    async def answer() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            tidied.append("tidied")

    async def turns() -> None:
        rest = begun(answer())
        assert rest is not None
        await asyncio.sleep(0)
        rest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rest

    asyncio.run(turns())
    assert tidied == ["tidied"]


def test_the_task_is_given_a_coroutine_as_python_3_12_and_later_want_it() -> None:
    async def turns() -> None:
        task = begun(asyncio.sleep(0.0))
        assert task is not None
        assert inspect.iscoroutine(task.get_coro())
        await task

    asyncio.run(turns())
