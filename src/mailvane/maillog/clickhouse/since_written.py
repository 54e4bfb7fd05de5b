"""Numbers of a workspace that stay right until something is written that changes them. No table is known here.

Only for an engine that nobody else writes to.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager

_MOST = 100  # numbers of one workspace


class SinceWritten:
    """What was asked since the last write. Any number of threads may use one."""

    def __init__(self, remembers: bool) -> None:
        """One that does not remember asks every time."""
        self._remembers = remembers
        self._lock = threading.Lock()
        self._writes: Counter[int | None] = Counter()  # begun and ended; None: of every workspace
        self._numbers: defaultdict[int, dict[Hashable, int]] = defaultdict(dict)

    def ask(self, workspace: int, what: Hashable, number: Callable[[], int]) -> int:
        """The number as it is remembered, or else as it is found now."""
        with self._lock:
            known = self._numbers[workspace].get(what)
            before = self._written(workspace)
        if known is not None:
            return known
        found = number()
        with self._lock:
            numbers = self._numbers[workspace]
            if self._remembers and before == self._written(workspace) and len(numbers) < _MOST:
                numbers[what] = found
        return found

    @contextmanager
    def writing(self, workspace: int | None) -> Generator[None]:
        """What is asked before the block ends may not hold what is written in it. None: in every workspace."""
        self._forget(workspace)
        try:
            yield
        finally:
            self._forget(workspace)

    def _forget(self, workspace: int | None) -> None:
        with self._lock:
            self._writes[workspace] += 1
            if workspace is None:
                self._numbers.clear()
            else:
                self._numbers.pop(workspace, None)

    def _written(self, workspace: int) -> tuple[int, int]:
        return self._writes[workspace], self._writes[None]
