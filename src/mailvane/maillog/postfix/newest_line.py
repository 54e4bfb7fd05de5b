"""The newest line of a log that is written now: what its stamp says, beside the moment at which it was written.

Two clocks that do not agree are a time zone that is not that of the stamps, or a clock that is wrong.
"""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.forms import NEEDED, Form, form_of
from mailvane.maillog.postfix.lines import Lines
from mailvane.maillog.postfix.stamps import Stamps

_TAIL = 256 << 10


class Newest(msgspec.Struct, frozen=True):
    """Times in milliseconds since the epoch."""

    stamped: int | None  # None: no line near the end has a stamp that is understood
    written: int  # when the file was last changed
    empty: bool = False

    @property
    def early(self) -> int:
        """By how many milliseconds the stamp is before the moment of writing; negative when it is after."""
        return 0 if self.stamped is None else self.written - self.stamped


def newest_line(path: Path, zone: ZoneInfo, now: int) -> Newest:
    """Look at the end of a log. Raises InvalidInput if it cannot be read."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            form = form_of(file.read(NEEDED))
            file.seek(max(0, status.st_size - _TAIL))
            text = file.read(_TAIL)
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    if form not in (Form.PLAIN, Form.NOTHING):
        raise InvalidInput(f"{path}: {form}, which cannot be followed")
    lines = Lines(Stamps(now, zone))
    stamped = None
    for line in text.decode("utf-8", "replace").split("\n")[:-1]:
        found = lines.read(line)
        if found is not None:
            stamped = found[0]
    return Newest(stamped, status.st_mtime_ns // 1_000_000, not status.st_size)
