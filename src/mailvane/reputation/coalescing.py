"""Lets alerts be evaluated less often than news come, where evaluating takes long.

An evaluation reads weeks of observations. Done after each file of a thousand, that work would grow with the square of
their number. So after one that took long there is a pause, and what comes meanwhile is evaluated together at its end.
Nothing is lost when the process is killed in such a pause: at the start everything is evaluated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from threading import Lock
from time import monotonic
from typing import NamedTuple

from mailvane.core.periodic import every
from mailvane.reputation.model import Source

PROMPT_SECONDS = 0.05  # an evaluation that is no longer than that needs no pause
PAUSES = 5  # times as long as the evaluation took
LOOK_SECONDS = 0.5

Evaluate = Callable[[int, Collection[Source], int], object]


class _Due(NamedTuple):
    """What is to be evaluated of a workspace after its pause."""

    sources: frozenset[Source]
    now: int


class Coalescing:
    """Safe to share between threads. Evaluates at once unless `run` is running."""

    def __init__(self, evaluate: Evaluate, clock: Callable[[], float] = monotonic) -> None:
        self._evaluate = evaluate
        self._clock = clock
        self._lock = Lock()
        self._pauses_until: dict[int, float] = {}
        self._due: dict[int, _Due] = {}
        self.is_running = False

    def __call__(self, workspace: int, sources: Collection[Source], now: int) -> None:
        """News of these sources were kept. Raises what evaluating raises, where that is done at once."""
        with self._lock:
            if self.is_running and self._clock() < self._pauses_until.get(workspace, 0.0):
                self._postpone(workspace, frozenset(sources), now)
                return
        self._at_once(workspace, sources, now)

    def settle(self, everything: bool = False) -> None:
        """Evaluate what is due and has no pause any more. What fails stays due, and its error is raised."""
        now = self._clock()
        with self._lock:
            over = [one for one in self._due if everything or now >= self._pauses_until.get(one, 0.0)]
        for workspace in over:
            with self._lock:
                due = self._due.pop(workspace, None)
            if due is None:
                continue
            try:
                self._at_once(workspace, due.sources, due.now)
            except BaseException:
                with self._lock:
                    self._postpone(workspace, *due)
                raise

    async def run(self) -> None:
        """Evaluate after pauses, until cancelled; then what is left."""
        self.is_running = True
        try:
            await every(LOOK_SECONDS, "evaluating alerts", lambda: asyncio.to_thread(self.settle))
        finally:
            self.is_running = False
            await asyncio.to_thread(self.settle, True)

    def _postpone(self, workspace: int, sources: frozenset[Source], now: int) -> None:
        known = self._due.get(workspace, _Due(sources, now))
        self._due[workspace] = _Due(known.sources | sources, max(known.now, now))

    def _at_once(self, workspace: int, sources: Collection[Source], now: int) -> None:
        began = self._clock()
        try:
            self._evaluate(workspace, sources, now)
        finally:
            ended = self._clock()
            with self._lock:
                if ended - began > PROMPT_SECONDS:
                    self._pauses_until[workspace] = ended + PAUSES * (ended - began)
                else:
                    self._pauses_until.pop(workspace, None)
