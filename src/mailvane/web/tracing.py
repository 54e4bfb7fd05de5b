"""Traces of requests, as the rest of the program sees them: a span of each request, and below it what it asks.

Who knows no tracing library gets `UNTRACED`; `opentelemetry_tracing` has the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

T = TypeVar("T")


class RequestSpan(Protocol):
    """The span of a request that is being answered."""

    def answered(self, surface: str, route: str, status: int, workspace: int | None) -> None:
        """What became of it. `route` is a template: no value that the client gave."""


class Tracing(Protocol):
    """Makes spans. Belongs to one event loop, but for what `working` gives back. Nothing here raises."""

    def request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[RequestSpan]:
        """The span of a request, for the length of a block; child of what its `traceparent` names."""

    def waiting(self, pool: str) -> AbstractContextManager[None]:
        """The span of a question to a pool of threads, until its answer is there. None outside a request."""

    def working(self, pool: str, function: Callable[[], T]) -> Callable[[], T]:
        """The function, with a span of the time that it takes on its thread, below the span that there is now."""

    def close(self) -> None:
        """Blocking: send what is left, for a bounded time."""


class _NoSpan:
    def answered(self, surface: str, route: str, status: int, workspace: int | None) -> None:
        """Nobody is told."""


class Untraced:
    """Makes no spans."""

    def __init__(self) -> None:
        self._request: AbstractContextManager[RequestSpan] = nullcontext(_NoSpan())
        self._nothing = nullcontext()

    def request(self, _method: str, _headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[RequestSpan]:
        return self._request

    def waiting(self, _pool: str) -> AbstractContextManager[None]:
        return self._nothing

    def working(self, _pool: str, function: Callable[[], T]) -> Callable[[], T]:
        return function

    def close(self) -> None:
        """There is nothing to send."""


UNTRACED = Untraced()
