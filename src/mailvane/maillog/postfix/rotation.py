"""The files of one rotated log: which there are, in the order in which they were written.

What a file is called tells its place: `mail.log.2.gz` is before `mail.log.1`, `mail.log-20261126` before
`mail.log-20261127`, and all are before `mail.log`. Nothing is opened here.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.forms import NEEDED, Form, form_of
from mailvane.maillog.postfix.lines import Lines
from mailvane.maillog.postfix.stamps import Stamps

_ARCHIVE = r"(?:\.(?:gz|bz2|xz|lzma|zst|lz4|Z))?"
_NUMBER = r"[.-](?P<number>(?!(?:19|20)\d\d(?!\d))\d{1,5})"  # not a year
# Of logrotate's dateformat, of `postfix logrotate`, of savelog and of newsyslog: digits and what stands between them.
_DATE = r"[._-](?P<date>\d{4,}(?:[T_:.-]?\d+)*Z?)"
_DIGITS = re.compile(r"\d+")


class RotatedFile(msgspec.Struct, frozen=True):
    """One file, as it was when the directory was listed."""

    path: Path
    inode: tuple[int, int]  # device and number
    size: int  # bytes
    changed: int  # nanoseconds since the epoch
    place: tuple[int, ...]  # among the files of one way of naming
    kind: str  # number, date or living


def rotated_files(path: Path) -> list[RotatedFile]:
    """All files of a log that are not empty, the oldest first, `path` itself last.

    Of a file that is being compressed, the one that is compressed already is left out while the other is there.
    Raises OSError if the directory cannot be read.
    """
    found: dict[str, RotatedFile] = {}
    for name, kind, place, plain in _names(path):
        file = _seen(path.with_name(name), kind, place)
        if file is not None and (plain == name or plain not in found):
            found[plain] = file
    files = sorted(found.values(), key=lambda file: (file.kind, file.place))
    if len({file.kind for file in files}) > 1:
        files.sort(key=lambda file: file.changed)
    living = _seen(path, "living", ())
    return files if living is None else [*files, living]


def _names(path: Path) -> list[tuple[str, str, tuple[int, ...], str]]:
    """`(name, kind, place, name before it was compressed)` of what is called like a rotated file of this log."""
    # `mail.log.1`, and `mail.1.log` as logrotate's `extension` has it.
    name, stem, suffix = re.escape(path.name), re.escape(path.stem), re.escape(path.suffix)
    rotated = rf"(?:{_NUMBER}|{_DATE})"
    patterns = [re.compile(rf"(?P<plain>{name}(?:{rotated}|(?P<old>\.old))){_ARCHIVE}")]
    if suffix:
        patterns.append(re.compile(rf"(?P<plain>{stem}{rotated}{suffix}){_ARCHIVE}"))
    found = []
    for entry in path.parent.iterdir():
        for pattern in patterns:
            named = pattern.fullmatch(entry.name)
            if named is not None:
                found.append((entry.name, *_placed(named), named["plain"]))
                break
    return found


def _placed(named: re.Match[str]) -> tuple[str, tuple[int, ...]]:
    if named["date"] and not named["number"]:
        return "date", tuple(int(digits[:18]) for digits in _DIGITS.findall(named["date"]))
    return "number", (-int(named["number"] or 0),)


def _seen(path: Path, kind: str, place: tuple[int, ...]) -> RotatedFile | None:
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return None
    return RotatedFile(path, (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns, place, kind)


# The newest line of a log that is written now: what its stamp says, beside the moment at which it was written.
#
# Two clocks that do not agree are a time zone that is not that of the stamps, or a clock that is wrong.


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
