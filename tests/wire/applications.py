"""Applications for the wire tests: each made as a server makes it, with services of its own, on routes that were there.

To register the routes takes ten times as long as everything else, and is the same each time: an application that has
ended leaves them to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from litestar import Litestar

from mailvane.server import http as module
from mailvane.server.http import HttpServices, create_app

_ended: list[Litestar] = []
_routes: dict[Litestar, Any] = {}


@contextmanager
def application(services: HttpServices) -> Iterator[Litestar]:
    with patch.object(module, "Litestar", _routed):
        made = create_app(services)
    yield made
    _ended.append(made)


def _routed(**options: Any) -> Litestar:
    if not _ended:
        made = Litestar(**options)
        _routes[made] = made.asgi_handler
        return made
    again = _ended.pop()
    again.asgi_handler = _routes[again]
    again.state, again.on_startup, again.on_shutdown = options["state"], [], [*options["on_shutdown"]]
    return again
