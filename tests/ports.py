"""Ports for servers under test."""

from __future__ import annotations

import random
import socket

# Below those that the kernel gives to outgoing connections, any of which could take the port before the server does.
_FIRST, _LAST = 15_000, 32_000


def free_port() -> int:
    while True:
        port = random.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
