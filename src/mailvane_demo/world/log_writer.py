"""Writes the simulated log to a file, as a syslog daemon and logrotate would."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Event

from mailvane_demo.world.postfix import PostfixWorld

_PORTION = 5_000  # lines a write
_PAUSE = 0.25  # seconds between two looks at the clock


class LogWriter:
    """Appends a world's lines to one file. `follow` runs in a thread of its own until `stop` is called."""

    def __init__(self, world: PostfixWorld, path: Path, rotate_at: int | None = None) -> None:
        self._world = world
        self._path = path
        self._rotate_at = rotate_at  # bytes; None never rotates
        self._until: int | None = None  # all lines before are written
        self._stopped = Event()

    def write(self, since: int, until: int) -> int:
        """Append what is logged in a span; returns the number of lines."""
        lines = self._world.lines(since, until)
        written = 0
        while not self._stopped.is_set() and (portion := list(islice(lines, _PORTION))):
            self._rotate()
            with self._path.open("a", encoding="utf-8") as log:
                log.write("\n".join(portion) + "\n")
            written += len(portion)
        self._until = until
        return written

    def follow(self, since: int, clock: Callable[[], int]) -> None:
        """Append what is logged as time goes by, until stopped; the clock tells milliseconds.

        Goes on where the last `write` ended; from `since` when there was none.
        """
        self._until = since if self._until is None else self._until
        while not self._stopped.is_set():
            now = clock()
            if now > self._until:
                self.write(self._until, now)
            self._stopped.wait(_PAUSE)

    def stop(self) -> None:
        """Make `write` and `follow` return soon. Safe from any thread."""
        self._stopped.set()

    def _rotate(self) -> None:
        """Rename a log that has grown: mail.log becomes mail.log.1, that one mail.log.2, and so on."""
        if self._rotate_at is None or not self._path.exists() or self._path.stat().st_size < self._rotate_at:
            return
        number = 1
        while self._numbered(number).exists():
            number += 1
        for older in range(number, 1, -1):
            self._numbered(older - 1).rename(self._numbered(older))
        self._path.rename(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
