"""A living log, followed: through rotation by renaming or by copying, truncation, deletion and a restart of the reader.

One file is open at a time. It is left only when a later one has begun to fill, which says that the writer has let go of
it; the next one is then looked for in the directory, so that every file between the one that was read and the one that
is written is read, in order, however often the log was rotated meanwhile. A file is known by its inode, and by its
content once it was copied or compressed. Nothing is read ahead of a complete line.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.forms import Form
from mailvane.maillog.postfix.files import STDIN, TAIL, LogStream, fingerprint
from mailvane.maillog.postfix.position import Position
from mailvane.maillog.postfix.reading import LogReading, Step
from mailvane.maillog.postfix.rotation import RotatedFile, rotated_files

log = logging.getLogger(__name__)

_POLL = 0.2  # seconds
_PATIENCE = 25  # ours: polls for which a file that cannot be read and does not change is waited for
_LONGEST_FIRST_LINE = 64 << 10
_SETTLED = 2_000_000_000  # nanoseconds after which a directory's time of change tells every change


class _Open:
    """The file as it is open now, whatever its name has become."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.path = path
        self.position: Position | None = None
        self.first_line = b""
        status = os.fstat(self.file.fileno())
        self.inode = status.st_dev, status.st_ino
        self.size = status.st_size
        self.changed = status.st_mtime_ns  # not after what was read last

    def close(self) -> None:
        self.file.close()

    def first(self) -> bytes | None:
        """The first line as it stands in the file now; None while it is not complete."""
        line, end, _ = os.pread(self.file.fileno(), _LONGEST_FIRST_LINE, 0).partition(b"\n")
        return line.rstrip(b"\r") if end or len(line) >= _LONGEST_FIRST_LINE else None

    def rewritten(self) -> bool:
        """Was the file cut, or cut and filled again since it was read?"""
        position = self.position
        if position is None:
            return False
        at = position.offset + position.dropped + len(position.unfinished)
        if os.fstat(self.file.fileno()).st_size < at or self.first() != self.first_line:
            return True
        last = position.last[-TAIL:]
        return os.pread(self.file.fileno(), len(last), position.offset - len(last)) != last


class _Left(msgspec.Struct, frozen=True):
    """The file that was read last, and is not open any more."""

    inode: tuple[int, int] | None  # None: its content is elsewhere now
    first_line: bytes
    file: str  # what its cursor calls it
    changed: int  # nanoseconds since the epoch: what was written later was changed later
    finished: bool = True  # read to its end, which nobody can move any more


class Following:
    """Follows one log file until it is stopped."""

    def __init__(self, reading: LogReading, name: str, now: Callable[[], int]) -> None:
        self._reading = reading
        self._path = Path(name)
        self._now = now
        self._open: _Open | None = None
        self._left: _Left | None = None
        self._listed = (0, 0)  # when the directory was listed last, and when it had been changed then
        self._unreadable: tuple[object, int] = (None, 0)  # what cannot be read as it stands now, and for how many polls

    def run(self, pause: Callable[[float], bool]) -> Iterator[Step]:
        """Journal entries as lines come. `pause` waits that many seconds and says whether to stop."""
        if str(self._path) == STDIN:
            yield from self._reading.read(STDIN, self._now())
            return
        try:
            while True:
                busy = False
                for step in self._look():
                    busy = True
                    yield step
                if pause(0 if busy else _POLL):
                    return
        finally:
            self._close()

    def _look(self) -> Iterator[Step]:
        """Whatever is new, file after file, until there is nothing more."""
        while True:
            if self._open is None:
                file = self._next()
                if file is None or not (yield from self._enter(file)):
                    return
                continue
            current = self._open
            if current.rewritten():
                # The copy that was made before the cut may hold lines that were not read yet.
                self._leave(current, finished=False)
                continue
            later = self._has_later(current)
            yield from self._read(current)
            if not later or self._open is None or current.rewritten():
                return
            # Nobody writes to a renamed file any more: a last line without an end is all there will be.
            position = current.position
            if position is not None and position.unfinished:
                text, position.unfinished = position.unfinished, b""
                yield self._step(position, text)
            self._leave(current, finished=True)

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _leave(self, current: _Open, *, finished: bool) -> None:
        position = current.position
        file = "" if position is None else position.file
        inode = current.inode if finished else None
        self._left = _Left(inode, current.first_line, file, current.changed, finished)
        self._close()

    # -- one file ----------------------------------------------------------------------------------------------------

    def _read(self, current: _Open) -> Iterator[Step]:
        position = current.position or self._settle(current)
        if position is None:
            return
        while True:
            looked = self._now()
            current.changed = os.fstat(current.file.fileno()).st_mtime_ns
            text = current.file.read(self._reading.block_size)
            if not text:
                position.after = looked
                return
            if current.rewritten():
                return
            position.reference = max(position.reference, looked)
            lines = position.add(text)
            for part in self._reading.parts(position, lines):
                yield self._step(position, part)

    def _settle(self, current: _Open) -> Position | None:
        """Find where to go on, as soon as the file has a line."""
        current.file.seek(0)
        stream = LogStream(str(current.path), current.file, current.size)
        if stream.form not in (Form.PLAIN, Form.NOTHING):
            raise InvalidInput(f"{self._path}: {stream.form}, which cannot be followed")
        first = current.first()
        if first is None:
            return None
        try:
            position = self._reading.locate(stream, self._now())
        except (FileNotFoundError, InvalidInput):
            if current.path.exists():
                raise
            self._close()  # it was renamed just now: its new name is looked up with the next poll
            return None
        if position is None:
            return None
        current.first_line = first
        current.position = position
        current.file.seek(position.offset)
        return position

    def _step(self, position: Position, text: bytes) -> Step:
        before = position.line
        entry = self._reading.take(position, text)
        return Step(entry, position.name, position.line - before, position.offset, 0, self._reading.take_summary())

    def _enter(self, file: RotatedFile) -> Generator[Step, None, bool]:
        """Open a file, or read it whole if it is an archive; whether there may be more to read now."""
        try:
            opened = _Open(file.path)
        except FileNotFoundError:
            return False  # renamed just now
        except OSError as error:
            if file.path == self._path:
                raise InvalidInput(f"{self._path}: {error.strerror}") from error
            return self._given_up(file, b"", error.strerror or str(error))
        if opened.inode != file.inode:
            opened.close()
            return False
        stream = LogStream(str(file.path), opened.file, opened.size)
        if not stream.archived:
            opened.file.seek(0)
            self._open = opened
            return True
        first: bytes | None = None
        try:
            first = stream.first_line()
            yield from self._reading.read_stream(stream, self._now())
        except FileNotFoundError:
            return False
        except InvalidInput as error:
            return self._given_up(file, first or b"", error.message)
        finally:
            opened.close()
        self._left = _Left(file.inode, first or b"", "", file.changed)
        return True

    def _given_up(self, file: RotatedFile, first: bytes, why: str) -> bool:
        """Whether to go on behind a file that cannot be read: it may be one that is being compressed right now."""
        state, polls = self._unreadable
        found = (file.path, file.size, file.changed)
        self._unreadable = found, polls + 1 if state == found else 1
        if self._unreadable[1] < _PATIENCE and not self._lives_on(first):
            return False
        log.warning("%s: %s; going on with what was written later", file.path, why)
        self._left = _Left(file.inode, first, "", file.changed)
        return True

    def _lives_on(self, first: bytes) -> bool:
        """Whether a file that begins so is a copy of the one that is written now, and was read from."""
        try:
            living = _Open(self._path)
        except OSError:
            return False
        try:
            return bool(first) and living.first() == first and self._known_place(self._path, first) != ""
        finally:
            living.close()

    # -- the next file -----------------------------------------------------------------------------------------------

    def _has_later(self, current: _Open) -> bool:
        """Is there a file that was begun later than this one, and has begun to fill?"""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is not None:
            if (there.st_dev, there.st_ino) == current.inode:
                return False
            if there.st_size > 0:
                return True
        # An empty new file, or none, means that the writer has not let go of the one before, whichever that is.
        changed = self._path.parent.stat().st_mtime_ns
        listed, known = self._listed
        if changed == known and listed > changed + _SETTLED:
            return False
        self._listed = self._now() * 1_000_000, changed
        position = current.position
        file = "" if position is None else position.file
        left = _Left(current.inode, current.first_line or current.first() or b"", file, current.changed)
        return bool(self._after(left, rotated_files(self._path)))

    def _next(self) -> RotatedFile | None:
        """The file to read now. Raises InvalidInput if the directory cannot be read."""
        if self._path.exists() and not self._path.is_file():
            raise InvalidInput(f"{self._path}: not a file")
        try:
            files = rotated_files(self._path)
        except OSError as error:
            raise InvalidInput(f"{self._path.parent}: {error.strerror}") from error
        left = self._left
        if left is not None:
            return next(iter(self._after(left, files)), None)
        if not self._reading.cursors:
            return next((file for file in files if file.path == self._path), None)
        files = [file for file in files if not self._is_copy(file)]
        known = [place for place, file in enumerate(files) if self._known(file)]
        if known:
            return files[known[0]]
        # Nothing of what was read is left: what was changed since then was not read.
        read = max(cursor.reference for cursor in self._reading.cursors.values()) * 1_000_000
        return next((file for file in files if file.path == self._path or file.changed > read), None)

    def _after(self, left: _Left, files: list[RotatedFile]) -> list[RotatedFile]:
        """What follows the file that was read last; with its copy, where it was not read to its end."""
        here = [place for place, file in enumerate(files) if self._is(left, file)]
        if here:
            return files[here[-1] + left.finished :]
        return [file for file in files if file.path == self._path or file.changed >= left.changed]

    def _is(self, left: _Left, file: RotatedFile) -> bool:
        """Whether this is the file that was read last, moved, compressed or copied."""
        if left.inode == file.inode:
            # An inode is given to another file once nobody has the first one any more.
            return not left.first_line or _first_line(file) == left.first_line
        if not left.file or (file.path == self._path and not left.finished) or _first_line(file) != left.first_line:
            return False
        return self._known_place(file.path, left.first_line) == left.file

    def _known(self, file: RotatedFile) -> bool:
        first = _first_line(file)
        return first is not None and fingerprint(first) in self._reading.cursors

    def _known_place(self, path: Path, first: bytes) -> str:
        """The cursor that says how far a file was read; empty if none does."""
        if fingerprint(first) not in self._reading.cursors:
            return ""
        try:
            with path.open("rb") as file, LogStream(str(path), file, path.stat().st_size) as stream:
                position = self._reading.locate(stream, self._now())
        except (OSError, InvalidInput):
            return ""
        return position.file if position is not None and position.offset else ""

    def _is_copy(self, file: RotatedFile) -> bool:
        """Whether all that a file holds is also in the one that is written now: it is being copied, to be cut then."""
        if file.path == self._path:
            return False
        try:
            with file.path.open("rb") as copy, self._path.open("rb") as living:
                start, end = min(TAIL, file.size), max(0, file.size - TAIL)
                if os.pread(copy.fileno(), start, 0) != os.pread(living.fileno(), start, 0):
                    return False
                return os.pread(copy.fileno(), TAIL, end) == os.pread(living.fileno(), file.size - end, end)
        except OSError:
            return False


def _first_line(file: RotatedFile) -> bytes | None:
    try:
        with file.path.open("rb") as opened:
            return LogStream(str(file.path), opened, file.size).first_line()
    except (OSError, InvalidInput):
        return None
