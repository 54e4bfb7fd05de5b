"""Where the time of a start goes: each stretch by the clock and by the processor."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STARTED = 21  # of proc_pid_stat(5), counted from 0: in clock ticks since the machine started
_NAME_ENDS = 2


class Timeline:
    """Begins with the process, as far as the system tells; otherwise now."""

    def __init__(self, first: str) -> None:
        """`first`: what has happened until now."""
        self._began = self._last = _began()
        self._used = 0.0
        self._stretches: list[str] = []
        self.reached(first)

    def reached(self, stretch: str) -> None:
        """This stretch has ended."""
        now, used = time.monotonic(), time.process_time()
        self._stretches.append(f"{stretch} {now - self._last:.2f} ({used - self._used:.2f})")
        self._last, self._used = now, used

    def __str__(self) -> str:
        """Seconds by the clock since the beginning, and in brackets of processor time."""
        return f"{self._last - self._began:.2f} s ({self._used:.2f}): {', '.join(self._stretches)}"


def _began() -> float:
    """When this process began, on the monotonic clock."""
    now = time.monotonic()
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        running = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED - _NAME_ENDS]) / os.sysconf(
            "SC_CLK_TCK"
        )
    except (OSError, AttributeError, IndexError, ValueError):
        return now
    return now - max(0.0, running)
