"""Work ends when nobody waits for it any more, in the queue and on its thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from litestar import Request
from litestar.exceptions import HTTPException

from mailvane.web.thread_pools import ThreadPools
from mailvane.web.wanted import Wanted, WantedFile, while_wanted

PATIENCE = 30.0


class Client:
    """Its body has come in; it leaves when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def request(self) -> Request[Any, Any, Any]:
        return cast("Request[Any, Any, Any]", self)


def test_a_file_of_nobody_cannot_be_read_on() -> None:
    wanted = Wanted()
    file = WantedFile(b"one\ntwo\nthree\n", wanted)
    assert (file.readline(), next(file), file.read(2)) == (b"one\n", b"two\n", b"th")
    wanted.is_gone = True
    readings: tuple[Callable[[], bytes], ...] = (file.read, file.readline, partial(next, file))
    for reading in readings:
        with pytest.raises(HTTPException):
            reading()


def test_work_that_runs_hears_that_its_client_left() -> None:
    async def run() -> bool:
        abandoned = threading.Event()
        threads, client, wanted = ThreadPools(on_abandoned=abandoned.set), Client(), Wanted()
        began, ended = threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            try:
                while True:
                    wanted.check()
                    ended.wait(0.01)
            finally:
                ended.set()

        asking = asyncio.create_task(while_wanted(client.request, wanted, threads.for_workspace(1, True, work)))
        await asyncio.to_thread(began.wait, PATIENCE)
        client.left.set()
        with pytest.raises(HTTPException):
            await asking
        over = await asyncio.to_thread(abandoned.wait, PATIENCE) and ended.is_set()
        threads.close()
        return over

    assert asyncio.run(run())


def test_work_that_waits_is_never_begun_when_its_client_left() -> None:
    async def run() -> list[str]:
        threads, client, begun, going_on = ThreadPools(), Client(), list[str](), threading.Event()
        first = asyncio.create_task(threads.for_workspace(1, True, going_on.wait, PATIENCE))
        await asyncio.sleep(0)
        second = threads.for_workspace(1, True, begun.append, "of one who left")
        asking = asyncio.create_task(while_wanted(client.request, Wanted(), second))
        await asyncio.sleep(0.01)
        client.left.set()
        with pytest.raises(HTTPException):
            await asking
        going_on.set()
        await first
        await threads.for_workspace(1, True, begun.append, "of one who stayed")
        threads.close()
        return begun

    assert asyncio.run(run()) == ["of one who stayed"]


def test_an_answer_and_an_error_come_back_as_they_are() -> None:
    async def told(fails: bool) -> str:
        if fails:
            raise LookupError("no")
        return "told"

    async def run() -> str:
        client = Client()
        with pytest.raises(LookupError):
            await while_wanted(client.request, Wanted(), told(True))
        return await while_wanted(client.request, Wanted(), told(False))

    assert asyncio.run(run()) == "told"
