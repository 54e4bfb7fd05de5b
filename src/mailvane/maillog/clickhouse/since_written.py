"""Answers about a workspace that stay right until something is written that changes them. No table is known here.

Only for an engine that nobody else writes to.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future
from contextlib import contextmanager
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Bounds(NamedTuple):
    """What is remembered at most."""

    of_workspace: int = 100  # answers
    workspaces: int = 10_000  # those asked about last
    seconds: float = float("inf")  # since it was asked


class _Asked(Generic[T]):
    """A question, asked when so much had been written."""

    def __init__(self, written: tuple[int, int], at: float) -> None:
        self.written = written
        self.at = at
        self.answer: Future[T] = Future()


class SinceWritten(Generic[T]):
    """What was asked since the last write, also by others at the same time. Any number of threads may use one."""

    def __init__(self, remembers: bool, bounds: Bounds | None = None, clock: Callable[[], float] = monotonic) -> None:
        """One that does not remember asks every time. The clock tells seconds."""
        self._remembers = remembers
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._lock = threading.Lock()
        self._writes: Counter[int | None] = Counter()  # begun and ended; None: of every workspace
        self._asked: OrderedDict[int, dict[Hashable, _Asked[T]]] = OrderedDict()

    def ask(self, workspace: int, what: Hashable, find: Callable[[], T]) -> T:
        """The answer as it is remembered, or else as it is found now."""
        if not self._remembers:
            return find()
        with self._lock:
            asked = self._known(workspace, what)
            if is_new := asked is None:
                asked = _Asked[T](self._written(workspace), self._clock())
                self._keep(workspace, what, asked)
        if is_new:
            try:
                asked.answer.set_result(find())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                self.forget(workspace, what)
                asked.answer.set_exception(error)
        return asked.answer.result()

    def _known(self, workspace: int, what: Hashable) -> _Asked[T] | None:
        asked = self._asked.get(workspace, {}).get(what)
        if asked is None or asked.written != self._written(workspace):
            return None
        return asked if asked.at >= self._clock() - self._bounds.seconds else None

    def _keep(self, workspace: int, what: Hashable, asked: _Asked[T]) -> None:
        answers = self._asked.setdefault(workspace, {})
        self._asked.move_to_end(workspace)
        if what in answers or len(answers) < self._bounds.of_workspace:
            answers[what] = asked
        while len(self._asked) > self._bounds.workspaces:
            self._asked.popitem(last=False)

    def forget(self, workspace: int, what: Hashable) -> None:
        """Find it anew for whoever asks next."""
        with self._lock:
            self._asked.get(workspace, {}).pop(what, None)

    @contextmanager
    def writing(self, workspace: int | None) -> Generator[None]:
        """What is asked before the block ends may not hold what is written in it. None: in every workspace."""
        self._write(workspace)
        try:
            yield
        finally:
            self._write(workspace)

    def _write(self, workspace: int | None) -> None:
        with self._lock:
            self._writes[workspace] += 1
            if workspace is None:
                self._asked.clear()
            else:
                self._asked.pop(workspace, None)

    def _written(self, workspace: int) -> tuple[int, int]:
        return self._writes[workspace], self._writes[None]
