"""What the simulated servers write, before it is put in order and dressed."""

from __future__ import annotations

from operator import itemgetter

Line = tuple[int, str]  # milliseconds since the epoch; "HOST PROCESS[PID]: TEXT"

_time = itemgetter(0)


class Log:
    """Takes lines in any order and gives them out by time; those of one moment stay in the order of writing."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def write(self, at: int, text: str) -> None:
        self._lines.append((at, text))

    def take(self, until: int) -> list[Line]:
        """Everything before a time, which is given out only once."""
        lines = self._lines
        lines.sort(key=_time)
        cut = next((number for number in range(len(lines), 0, -1) if lines[number - 1][0] < until), 0)
        self._lines = lines[cut:]
        del lines[cut:]
        return lines
