"""Ports for servers under test: no two of the processes that run tests side by side are given the same."""

from __future__ import annotations

import os
import random
import socket
from itertools import count

# Below those that the kernel gives to outgoing connections, any of which could take the port before the server does.
_FIRST, _LAST = 15_000, 32_000
_WORKERS = 16  # at most, each with every sixteenth port; in a run without workers there is one
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_OF_A_WORKER = (_LAST - _FIRST) // _WORKERS
_taken = count(random.randrange(_OF_A_WORKER))  # another run beside this one begins elsewhere


def free_port() -> int:
    """One that nobody listens on, and that this process is given again only after a thousand others."""
    while True:
        port = _FIRST + next(_taken) % _OF_A_WORKER * _WORKERS + _WORKER
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
