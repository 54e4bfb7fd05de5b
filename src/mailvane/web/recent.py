"""Answers that were given a moment ago, for those who ask the same while there is a queue.

What is acknowledged appears in the mail log a moment later in any case, so an answer may be a little old. It is used
only where the alternative is to wait for a place: a server that is not busy always looks anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

SECONDS = 3.0  # that an answer may be old
_MOST_SECONDS = 10.0  # where one would have to wait long
_WAITS = 3.0
_MOST_BYTES = 16 * 1024 * 1024  # of all
_MOST_OF_ONE = 1024 * 1024


class Recent:
    """Belongs to one event loop. Only answers that are encoded are kept: their size is known."""

    def __init__(self, seconds: float = SECONDS, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()  # the oldest first

    def keep(self, key: Hashable, answer: object, asked_at: float) -> None:
        """`asked_at`: when the mail log began to be read for it, in seconds of any clock that only goes forward."""
        self._drop(key)
        if isinstance(answer, bytes) and len(answer) <= _MOST_OF_ONE:
            self._answers[key] = asked_at, answer
            self._bytes += len(answer)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._answers)))

    def get(self, key: Hashable, now: float, wait: float = 0.0) -> bytes | None:
        """None: there is none, or it is too old. It may be the older, the longer one would `wait` for a new one."""
        found = self._answers.get(key)
        return found[1] if found is not None and found[0] >= now - self._longest(wait) else None

    def is_ageing(self, key: Hashable, now: float, wait: float = 0.0) -> bool:
        """Whether an answer that `get` gives has half of its time behind it, and is to be asked anew meanwhile."""
        found = self._answers.get(key)
        return found is not None and found[0] < now - self._longest(wait) / 2

    def _longest(self, wait: float) -> float:
        return min(max(self._seconds, _WAITS * wait), _MOST_SECONDS)

    def forget_old(self, now: float) -> None:
        """Give back the memory of what is too old."""
        while self._answers and now - next(iter(self._answers.values()))[0] > _MOST_SECONDS:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Hashable) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self._bytes -= len(found[1])
