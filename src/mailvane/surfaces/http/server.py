"""Serves the application on a port of this process: Granian, embedded in the running event loop.

One process, because the embedded mail log belongs to one. This starts no other part of Mailvane and ends none.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from ipaddress import ip_address

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar

from mailvane.errors import InvalidSetting, MailvaneError

log = logging.getLogger(__name__)

_BACKLOG = 1024
_GRACE_SECONDS = 30.0
_UNANSWERED = 512  # requests in hand at once; more wait in the kernel


async def serve(app: Litestar, host: str, port: int, stop: asyncio.Event, grace: float = _GRACE_SECONDS) -> None:
    """Answer until told to stop; requests in hand are finished first, unless that takes longer than the grace.

    Raises InvalidSetting when the address cannot be listened on, MailvaneError when the server ends by itself.
    """
    address = await _free(host, port)
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(keep_alive=True),
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_UNANSWERED,
        log_enabled=False,
        log_level=LogLevels.critical,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        await _end(serving, grace)
    if not stop.is_set():
        raise MailvaneError("the HTTP server ended by itself")


async def _end(serving: asyncio.Task[None], grace: float) -> None:
    """One client that never finishes its request must not keep the server from ending."""
    await asyncio.wait({serving}, timeout=grace)
    if serving.done():
        await serving
        return
    log.warning("some requests were not finished within %g s", grace)
    serving.cancel()
    await asyncio.wait({serving})


async def _free(host: str, port: int) -> str:
    """The address to listen on, after making sure that nobody does.

    The server would share the port with any other program of ours that listens there, and each would get some requests.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InvalidSetting(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    family, kind, protocol, _, where = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InvalidSetting(f"cannot listen on {host}:{port}: another program does") from None
            raise InvalidSetting(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return str(ip_address(str(where[0]).partition("%")[0]))
