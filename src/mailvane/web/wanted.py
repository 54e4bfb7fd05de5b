"""Whether anybody still waits for an answer: work ends when the client leaves, on the loop and on its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from io import BytesIO
from typing import Any, TypeVar

from litestar import Request
from litestar.exceptions import HTTPException

T = TypeVar("T")


class ClientGone(HTTPException):
    """Nobody waits for the answer any more."""

    status_code = 400
    detail = "the client went away"


class Wanted:
    """Looked at by work that takes long, from any thread."""

    def __init__(self) -> None:
        self.is_gone = False

    def check(self) -> None:
        """Raises ClientGone when nobody waits any more."""
        if self.is_gone:
            raise ClientGone


class WantedFile(BytesIO):
    """A body as a file that ends with an error when nobody waits any more."""

    def __init__(self, body: bytes, wanted: Wanted) -> None:
        super().__init__(body)
        self._wanted = wanted

    def read(self, size: int | None = -1, /) -> bytes:
        self._wanted.check()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._wanted.check()
        return super().readline(size)

    def __next__(self) -> bytes:
        self._wanted.check()
        return super().__next__()


async def while_wanted(request: Request[Any, Any, Any], wanted: Wanted, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled when the client leaves. The body has been read."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        if not working.done():
            wanted.is_gone = True
            working.cancel()
        leaving.cancel()


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
