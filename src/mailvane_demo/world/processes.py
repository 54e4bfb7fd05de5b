"""The processes of a simulated Postfix: each serves one client at a time and retires after a hundred."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import accumulate, cycle

_MAX_USE = 100  # ours: Postfix's default


def process_ids(first: int) -> Iterator[int]:
    """Process ids in the order in which a system gives them out, with gaps for other programs."""
    return accumulate(cycle((3, 1, 7, 2, 19, 1, 4)), initial=first)


class Daemon:
    """The processes of one service of one host. A label is what its log lines start with, after the time."""

    def __init__(self, host: str, service: str, ids: Iterator[int]) -> None:
        self._prefix = f"{host} {service}"
        self._ids = ids
        self._idle: list[tuple[int, int, str]] = []  # free since, uses, label

    def label(self) -> str:
        """A new process."""
        return f"{self._prefix}[{next(self._ids)}]: "

    def take(self, at: int) -> tuple[int, str]:
        """A process that is free at a time: how often it was used before, and its label."""
        idle = self._idle
        if idle and idle[0][0] <= at:
            _, uses, label = heappop(idle)
            if uses < _MAX_USE:
                return uses, label
        return 0, self.label()

    def give_back(self, at: int, uses: int, label: str) -> None:
        """The process is free again from a time on."""
        heappush(self._idle, (at, uses + 1, label))
