"""How the following of each log stands: is it at the end of its log, behind, failing, or has it stopped?

Written by the threads that follow, read by whoever asks; nothing here blocks. Times in milliseconds since the epoch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from threading import Lock

import msgspec

from mailvane.core.errors import StoreUnavailable
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS

BEHIND_MS = MINUTE_MS  # ours: so long ago the end of the log was reached last
STALLED_MS = 300_000  # ours: for so long nothing was read although there is something to read
_SAMPLES = 20  # of lines that were not understood, the newest
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


class LogReadings(msgspec.Struct, frozen=True):
    """What was read of one log in the last 24 hours, hour by hour, as far as this process read it."""

    state: FollowedLogState
    relay: int  # into which its mail goes; 0: it is not known yet
    since: int  # that lines are counted
    lines: int
    not_understood: int
    samples: Sequence[str]  # of these, the newest last
    silent_ms: int | None  # for how long nothing was written to it; None: nobody knows


class FollowedLog:
    """What the thread that follows a log says of it."""

    def __init__(
        self, name: str, now: int, workspace: str = "", silent: Callable[[], float] = lambda: math.nan
    ) -> None:
        """`silent`: for how many seconds nothing was written to it; NaN where there is nothing."""
        self.name = name
        self.workspace = workspace  # its name
        self.relay = 0  # its id, once it is known
        self._silent = silent
        self._begun = now
        self._hours: dict[int, tuple[int, int]] = {}  # lines, and those not understood, by hour
        self._samples: deque[str] = deque(maxlen=_SAMPLES)
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

    def understood(self, now: int, lines: int, missed: int, samples: Iterable[str] = ()) -> None:
        """So many lines were read, of which so many were not understood, these among them."""
        with self._lock:
            hour = now // HOUR_MS
            before = self._hours.get(hour, (0, 0))
            self._hours = {each: found for each, found in self._hours.items() if each > hour - DAY_MS // HOUR_MS}
            self._hours[hour] = before[0] + lines, before[1] + missed
            self._samples.extend(samples)

    def readings(self, now: int) -> LogReadings:
        first = now // HOUR_MS - DAY_MS // HOUR_MS + 1
        silent = self._silent()
        state = self.state(now)
        with self._lock:
            counts = [found for hour, found in self._hours.items() if hour >= first]
            return LogReadings(
                state=state, relay=self.relay, since=max(self._begun, first * HOUR_MS),
                lines=sum(each[0] for each in counts), not_understood=sum(each[1] for each in counts),
                samples=tuple(self._samples), silent_ms=None if math.isnan(silent) else int(silent * 1000),
            )  # fmt: skip

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

    def readings(self, workspace: str) -> list[LogReadings]:
        """Likewise, with what was read of each."""
        now = self._clock()
        return [each.readings(now) for each in self._logs if each.workspace == workspace]

    def states(self) -> list[FollowedLogState]:
        """How each stands. Raises StoreUnavailable, naming the log, where one is not read any more."""
        now = self._clock()
        states = [each.state(now) for each in self._logs]
        broken = [state for each, state in zip(self._logs, states, strict=True) if not each.is_read(now)]
        if broken:
            raise StoreUnavailable("; ".join(state.description for state in broken))
        return states
