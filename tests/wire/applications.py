"""Applications for the wire tests: each made as a server makes it, with services of its own, on routes that were there.

To register the routes takes ten times as long as everything else, and is the same each time: an application that has
ended leaves them to the next one, and so does its dashboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from litestar import Litestar

from mailvane.dashboard.application import Dashboard, create_dashboard
from mailvane.dashboard.services import DashboardServices
from mailvane.server import http as module
from mailvane.server.http import HttpServices, create_app
from mailvane.web.application import Application

_ended: list[Litestar] = []
_ended_dashboards: list[Litestar] = []
_routes: dict[Litestar, Any] = {}


@contextmanager
def application(services: HttpServices) -> Iterator[Litestar]:
    dashboards: list[Litestar] = []

    def dashboard(services: DashboardServices, clock: Callable[[], int]) -> Litestar:
        dashboards.append(_dashboard(services, clock))
        return dashboards[-1]

    with patch.object(module, "Application", _routed), patch.object(module, "create_dashboard", dashboard):
        made = create_app(services)
    yield made
    _ended.append(made)
    _ended_dashboards.extend(dashboards)


def _routed(**options: Any) -> Litestar:
    if not _ended:
        made = Application(**options)
        _routes[made] = made.asgi_handler
        return made
    again = _ended.pop()
    again.asgi_handler = _routes[again]
    again.state, again.on_startup, again.on_shutdown = options["state"], [], [*options["on_shutdown"]]
    return again


def _dashboard(services: DashboardServices, clock: Callable[[], int]) -> Litestar:
    if not _ended_dashboards:
        return create_dashboard(services, clock)
    again = _ended_dashboards.pop()
    # Its handlers are methods of one object, which begins anew.
    Dashboard.__init__(again.on_shutdown[0].__self__, services, clock)  # type: ignore[union-attr]
    return again
