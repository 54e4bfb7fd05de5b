"""How a handler reaches what its room handed in: the room's services value, by its type; the clock and the threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from litestar import Request

from mailvane.web.bridge import ThreadPools

T = TypeVar("T")


def services_of(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The services of one room that the application was made with."""
    services: Mapping[type[Any], Any] = request.app.state.services
    found: T = services[kind]
    return found


def clock_of(request: Request[Any, Any, Any]) -> Callable[[], int]:
    """The clock that the application was made with: milliseconds since the epoch, UTC."""
    clock: Callable[[], int] = request.app.state.clock
    return clock


def threads_of(request: Request[Any, Any, Any]) -> ThreadPools:
    """The way from the event loop to the blocking core."""
    bridge: ThreadPools = request.app.state.bridge
    return bridge
