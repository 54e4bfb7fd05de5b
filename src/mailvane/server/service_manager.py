"""What systemd is told of this process (sd_notify(3)): that it is ready, that it is alive, that it stops.

A datagram to the socket that the environment names; without one nobody is told. Nothing here keeps a server from
running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class ServiceManager:
    """Who started this process, where that is a systemd unit of `Type=notify`."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        self._socket = environment.get("NOTIFY_SOCKET", "")
        watched = environment.get("WATCHDOG_PID", "") in {"", str(pid)}
        microseconds = environment.get("WATCHDOG_USEC", "") if watched else ""
        self.watchdog_seconds = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0

    def tell(self, *states: str) -> None:
        """Such as `READY=1`; what cannot be told is logged."""
        if not self._socket:
            return
        # A leading @ stands for a name in the abstract namespace of Linux.
        address = "\0" + self._socket[1:] if self._socket.startswith("@") else self._socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                told.setblocking(False)  # a manager that reads nothing must not hold up the loop
                told.sendto("\n".join(states).encode(), address)
        except OSError as error:
            log.warning("the service manager was not told %s: %s", states[0], error)

    def ready(self, status: str) -> None:
        """Questions are answered from now on."""
        self.tell("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        self.tell("STOPPING=1")

    async def watch(self) -> None:
        """Say again and again that the event loop runs, until it is cancelled. A loop that hangs says nothing."""
        while self._socket and self.watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / 2)


def service_manager() -> ServiceManager:
    return ServiceManager(os.environ, os.getpid())
