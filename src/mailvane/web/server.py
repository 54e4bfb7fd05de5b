"""Serves the application on a port of this process: uvicorn, in the running event loop, with bounds of our own.

One process, because the embedded mail log belongs to one. This starts no other part of Mailvane and ends none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Iterator
from typing import cast

import uvicorn
from litestar import Litestar
from uvicorn._types import ASGIApplication

from mailvane.core.errors import InvalidSetting, MailvaneError
from mailvane.core.listening import Listen
from mailvane.web.connection import HttpConnection, HttpLimits, HttpState

log = logging.getLogger(__name__)

_BACKLOG = 1024
_GRACE_SECONDS = 8.0  # supervisors kill what has not ended ten seconds after they asked it to
_TICKS_A_SECOND = 10


class _Server(uvicorn.Server):
    """Without signal handlers, which the program installs; counts every connection."""

    def __init__(self, app: Litestar, limits: HttpLimits, grace: float) -> None:
        config = uvicorn.Config(
            cast("ASGIApplication", app),
            http=HttpConnection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
        )
        super().__init__(config)
        self._watched = HttpState(limits)
        self.server_state = self._watched
        self._grace = grace

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_SECOND == 0:
            self._watched.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Requests in progress are answered first, unless that takes longer than the grace period."""
        self._watched.ending.set()
        losing_patience = asyncio.get_running_loop().call_later(self._grace, self._give_up)
        try:
            await super().shutdown(sockets)
        finally:
            losing_patience.cancel()

    def _give_up(self) -> None:
        log.warning("some requests were not finished within %g s", self._grace)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would call each cancelled one a failure
        for connection in self._watched.open:
            connection.transport.abort()
        for task in self._watched.tasks:
            task.cancel()


async def serve(
    app: Litestar,
    where: Listen,
    stop: asyncio.Event,
    limits: HttpLimits | None = None,
    grace: float = _GRACE_SECONDS,
) -> None:
    """Serve until it is stopped; requests in progress are finished first, within the grace period.

    Raises InvalidSetting when the address cannot be listened on, MailvaneError when the server ends by itself.
    """
    server = _Server(app, limits or HttpLimits(), grace)
    with await _listening(where) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await serving
    if not stop.is_set():
        raise MailvaneError("the HTTP server ended by itself")


async def _listening(where: Listen) -> socket.socket:
    """A socket that is bound there. The first address of a name that has several is taken."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InvalidSetting(f"cannot listen on {where}: {error.strerror or error}") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        why = "another program does" if error.errno == errno.EADDRINUSE else error.strerror
        raise InvalidSetting(f"cannot listen on {where}: {why}") from None
    return listening
