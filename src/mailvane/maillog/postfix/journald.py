"""The journal of systemd, followed by `journalctl`: from the entry that was taken in last, over every restart.

What was read is known by journald's own cursor of the last entry (journalctl(1), `--after-cursor`), which is kept with
the events of it, in the same transaction. Entries that journald has removed meanwhile are passed over.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.maillog.model import SourceCursor
from mailvane.maillog.postfix.files import PIECE, fingerprint, is_readable
from mailvane.maillog.postfix.position import Position
from mailvane.maillog.postfix.reading import LogReading, Step

_POLL = 0.2  # seconds
_ENDING_SECONDS = 5.0
_PATIENCE_SECONDS = 30.0
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME,_SOURCE_REALTIME_TIMESTAMP"


class _Entry(msgspec.Struct):
    cursor: str = msgspec.field(default="", name="__CURSOR")
    time: str = msgspec.field(default="0", name="__REALTIME_TIMESTAMP")  # microseconds


_ENTRIES = msgspec.json.Decoder(_Entry)


class JournalFollowing:
    """Follows the entries that match until it is stopped."""

    def __init__(self, reading: LogReading, name: str, matches: str, directory: Path | None) -> None:
        """`name` is shown; `matches` as journalctl takes them, such as `SYSLOG_FACILITY=2`.

        `directory` holds the journal's files where they are not this machine's own.
        """
        self._reading = reading
        self._name = name
        self._matches = matches.split()
        self._directory = directory
        self._file = fingerprint(f"journald {directory or ''} {' '.join(self._matches)}".encode())

    def run(self, now: Callable[[], int], pause: Callable[[float], bool]) -> Iterator[Step]:
        """Journal entries as they come. `pause` waits that many seconds and says whether to stop.

        Raises InvalidInput when `journalctl` cannot be run or ends.
        """
        cursor = self._reading.cursors.get(self._file)
        if cursor is None:
            cursor = SourceCursor(self._reading.origin.stream, self._file, self._name, 0, 0, b"", now())
        position = Position(cursor)
        position.mark = cursor.tail
        with tempfile.TemporaryFile() as said, self._journalctl(position.mark.decode(), said.fileno()) as pipe:
            while True:
                text = os.read(pipe, PIECE) if is_readable(pipe) else None
                if text:
                    yield from self._read(position, text, now())
                elif text is not None:
                    said.seek(0)
                    told = said.read(500).decode("utf-8", "replace").strip() or "without a word"
                    raise InvalidInput(f"{self._name}: journalctl ended: {told}")
                if pause(0 if text else _POLL):
                    return

    def _read(self, position: Position, text: bytes, now: int) -> Iterator[Step]:
        position.reference = max(position.reference, now)
        lines = position.add(text)
        if not lines:
            return
        last = lines[lines.rfind(b"\n", 0, -1) + 1 :]
        with contextlib.suppress(msgspec.DecodeError):
            position.mark = _ENTRIES.decode(last).cursor.encode() or position.mark
        before = position.line
        entry = self._reading.take(position, lines)
        yield Step(entry, self._name, position.line - before, position.offset, 0, self._reading.take_summary())

    @contextlib.contextmanager
    def _journalctl(self, after: str, errors: int) -> Iterator[int]:
        how = ["--all", "--follow", "--no-tail", f"--output-fields={_FIELDS}"]
        how += [f"--after-cursor={after}"] if after else []
        command = _command(how, self._matches, self._directory)
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=errors)  # noqa: S603
        except OSError as error:
            os.close(reader)
            raise InvalidInput(f"{self._name}: journalctl cannot be run: {error.strerror}") from error
        finally:
            os.close(writer)
        try:
            yield reader
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_SECONDS)
            process.kill()
            process.wait()
            os.close(reader)


def newest_entry(matches: str, directory: Path | None) -> int | None:
    """When the newest entry that matches was written, in ms; None when there is none, or none that may be seen.

    Raises InvalidInput when `journalctl` cannot be run or refuses.
    """
    command = _command(["--lines=1", "--output-fields=MESSAGE"], matches.split(), directory)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_SECONDS)  # noqa: S603, PLW1510
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidInput(f"journalctl cannot be run: {getattr(error, 'strerror', None) or error}") from error
    if done.returncode and done.stderr:
        raise InvalidInput(f"journalctl: {done.stderr.decode('utf-8', 'replace').strip()[:500]}")
    try:
        return int(_ENTRIES.decode(done.stdout).time) // 1000 if done.stdout else None
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput("journalctl answers with something else than an entry") from error


def _command(how: Sequence[str], matches: Sequence[str], directory: Path | None) -> list[str]:
    """Matches are names and values, never options."""
    where = [f"--directory={directory}"] if directory else []
    return ["journalctl", "--output=json", "--quiet", *how, *where, *matches]
