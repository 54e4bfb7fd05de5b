"""A living log, followed: through rotation by renaming or by copying, truncation, deletion and a restart of the reader.

The file is known by its content, not by its name: what was rotated away while nobody looked is found among its siblings
and finished first. Nothing is read ahead of a complete line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mailvane.errors import InvalidInput
from mailvane.sources.postfix_log.files import BLOCK, STDIN, fingerprint, open_log
from mailvane.sources.postfix_log.reading import LogReading, Position, Step
from mailvane.storage.interface import SourceCursor

_POLL = 0.2  # seconds
_LONGEST_FIRST_LINE = 64 << 10


class _Open:
    """The file as it is open now, whatever its name has become."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.path = path
        self.position: Position | None = None
        self.first_line = b""

    def close(self) -> None:
        self.file.close()

    def first(self) -> bytes | None:
        """The first line as it stands in the file now; None while it is not complete."""
        here = self.file.tell()
        self.file.seek(0)
        line, end, _ = self.file.read(_LONGEST_FIRST_LINE).partition(b"\n")
        self.file.seek(here)
        return line.rstrip(b"\r") if end or len(line) >= _LONGEST_FIRST_LINE else None

    def replaced(self) -> bool:
        """Does the name belong to another file by now, one that has begun to fill?"""
        try:
            there, here = self.path.stat(), self._stat()
        except FileNotFoundError:
            return False
        # An empty new file means that the writer has not let go of the old one yet.
        return (there.st_ino, there.st_dev) != here and there.st_size > 0

    def rewritten(self) -> bool:
        """Was the file cut, or cut and filled again since it was read?"""
        if self.position is None:
            return False
        size = self.file.seek(0, 2)
        at = self.position.offset + self.position.dropped + len(self.position.unfinished)
        self.file.seek(at)
        return size < at or self.first() != self.first_line

    def _stat(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_ino, status.st_dev


class Following:
    """Follows one log file for ever, or until told to stop."""

    def __init__(self, reading: LogReading, name: str, now: Callable[[], int]) -> None:
        self._reading = reading
        self._path = Path(name)
        self._now = now
        self._open: _Open | None = None

    def run(self, pause: Callable[[float], bool]) -> Iterator[Step]:
        """Journal entries as lines come. `pause` waits that many seconds and says whether to stop."""
        if str(self._path) == STDIN:
            yield from self._reading.read(STDIN, self._now())
            return
        yield from self._catch_up()
        try:
            while True:
                busy = False
                for step in self._look():
                    busy = True
                    yield step
                if pause(0 if busy else _POLL):
                    return
        finally:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _look(self) -> Iterator[Step]:
        """Whatever is new, once around."""
        if self._open is None:
            try:
                self._open = _Open(self._path)
            except FileNotFoundError:
                return
            except OSError as error:
                raise InvalidInput(f"{self._path}: {error.strerror}") from error
        current = self._open
        if current.rewritten():
            # The copy that was made before the cut may hold lines that were not read yet.
            current.position = None
            yield from self._catch_up()
        replaced = current.replaced()
        yield from self._read(current)
        if replaced:
            yield from self._finish(current)
            current.close()
            self._open = None

    def _read(self, current: _Open) -> Iterator[Step]:
        position = current.position or self._settle(current)
        if position is None:
            return
        while True:
            looked = self._now()
            text = current.file.read(BLOCK)
            if not text:
                position.after = looked
                return
            position.reference = max(position.reference, looked)
            lines = position.add(text)
            if lines:
                yield self._step(position, lines)

    def _settle(self, current: _Open) -> Position | None:
        """Find where to go on, as soon as the file has a line."""
        first = current.first()
        if first is None:
            return None
        with open_log(str(self._path)) as stream:
            position = self._reading.locate(stream, self._now())
        if position is None:
            return None
        current.first_line = first
        current.position = position
        current.file.seek(position.offset)
        return position

    def _finish(self, current: _Open) -> Iterator[Step]:
        """Nobody writes to a renamed file any more: a last line without an end is all there will be."""
        position = current.position
        if position is not None and position.unfinished:
            text, position.unfinished = position.unfinished, b""
            yield self._step(position, text)

    def _step(self, position: Position, text: bytes) -> Step:
        before = position.line
        entry = self._reading.take(position, text)
        return Step(entry, position.name, position.line - before, position.offset, 0, self._reading.take_summary())

    def _catch_up(self) -> Iterator[Step]:
        """Read the rest of files that were rotated away, and those that came and went meanwhile."""
        if not self._reading.cursors:
            return
        names = self._reading.in_order(map(str, self._siblings()), self._now(), closely=False)
        known = [index for index, name in enumerate(names) if self._known(name)]
        for name in names[known[0] :] if known else []:
            try:
                yield from self._reading.read(name, self._now())
            except InvalidInput:
                # A log that is being compressed right now; its rest comes with the next start.
                continue

    def _siblings(self) -> list[Path]:
        return [
            path
            for path in sorted(self._path.parent.glob(f"{_escaped(self._path.name)}[.-]*"))
            if path.is_file() and os.access(path, os.R_OK) and path.stat().st_size
        ]

    def _known(self, name: str) -> SourceCursor | None:
        with open_log(name) as stream:
            try:
                first = stream.first_line()
            except InvalidInput:
                return None
        return self._reading.cursors.get(fingerprint(first)) if first is not None else None


def _escaped(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
