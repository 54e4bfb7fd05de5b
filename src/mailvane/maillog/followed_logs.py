"""How the following of each log stands: is it at the end of its log, behind, failing, or has it stopped?

Written by the threads that follow, read by whoever asks; nothing here blocks. Times in milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from threading import Lock

import msgspec

from mailvane.core.errors import StoreUnavailable
from mailvane.core.moments import MINUTE_MS

BEHIND_MS = MINUTE_MS  # ours: so long ago the end of the log was reached last
STALLED_MS = 300_000  # ours: for so long nothing was read although there is something to read
FAILING_MS = 10_000  # ours: it is tried again every few seconds; a try that fails once is no outage


class Standing(StrEnum):
    FOLLOWING = "following"
    NO_FILE = "no file"  # it is waited for
    BEHIND = "behind"
    STALLED = "stalled"
    FAILING = "failing"
    STOPPED = "stopped"


class FollowedLogState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One log, at one moment."""

    log: str
    standing: Standing
    behind_ms: int = 0  # since the end of the log was reached last
    failures: int = 0  # in a row
    error: str = ""  # of the last failure

    @property
    def description(self) -> str:
        why = f": {self.error}" if self.error else ""
        return f"{self.log} is not followed ({self.standing} for {self.behind_ms // 1000} s){why}"


class FollowedLog:
    """What the thread that follows a log says of it."""

    def __init__(self, name: str, now: int, workspace: str = "") -> None:
        self.name = name
        self.workspace = workspace  # its name
        self._lock = Lock()
        self._at_end = self._moved = now
        self._there = True
        self._failing_since: int | None = None
        self._failures = 0
        self._error = ""
        self._stopped = False

    def reached_end(self, now: int, *, there: bool = True) -> None:
        """All that is there was read; `there` says whether there is a file at all."""
        with self._lock:
            self._at_end = self._moved = now
            self._there = there
            self._well()

    def read_on(self, now: int) -> None:
        """Lines were read and are kept."""
        with self._lock:
            self._moved = now
            self._there = True
            self._well()

    def failed(self, now: int, error: str) -> None:
        with self._lock:
            self._failures += 1
            self._error = error
            if self._failing_since is None:
                self._failing_since = now

    def stopped(self, error: str = "") -> None:
        """Nobody follows the log any more."""
        with self._lock:
            self._stopped = True
            self._error = error or self._error

    def state(self, now: int) -> FollowedLogState:
        with self._lock:
            behind = max(0, now - self._at_end)
            return FollowedLogState(
                self.name, self._standing(now, behind), behind if behind >= 1000 else 0, self._failures, self._error
            )

    def is_read(self, now: int) -> bool:
        """Whether what is written now is read, or will be without anybody's help."""
        with self._lock:
            standing = self._standing(now, now - self._at_end)
            if standing is Standing.FAILING:
                return self._failing_since is None or now - self._failing_since < FAILING_MS
            return standing not in (Standing.STOPPED, Standing.STALLED)

    def _well(self) -> None:
        self._failing_since, self._failures, self._error = None, 0, ""

    def _standing(self, now: int, behind: int) -> Standing:
        if self._stopped:
            return Standing.STOPPED
        if self._failing_since is not None:
            return Standing.FAILING
        if now - self._moved >= STALLED_MS:
            return Standing.STALLED
        if behind >= BEHIND_MS:
            return Standing.BEHIND
        return Standing.FOLLOWING if self._there else Standing.NO_FILE


class FollowedLogs:
    """All logs that this process follows."""

    def __init__(self, clock: Callable[[], int], logs: Iterable[FollowedLog] = ()) -> None:
        self._clock = clock
        self._logs = tuple(logs)

    def every(self) -> list[FollowedLogState]:
        """How each stands, also one that is not read any more."""
        now = self._clock()
        return [each.state(now) for each in self._logs]

    def of(self, workspace: str) -> list[FollowedLogState]:
        """How those of a workspace stand, by its name."""
        now = self._clock()
        return [each.state(now) for each in self._logs if each.workspace == workspace]

    def states(self) -> list[FollowedLogState]:
        """How each stands. Raises StoreUnavailable, naming the log, where one is not read any more."""
        now = self._clock()
        states = [each.state(now) for each in self._logs]
        broken = [state for each, state in zip(self._logs, states, strict=True) if not each.is_read(now)]
        if broken:
            raise StoreUnavailable("; ".join(state.description for state in broken))
        return states
