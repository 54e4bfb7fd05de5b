"""The files of one rotated log: which there are, in the order in which they were written.

What a file is called tells its place: `mail.log.2.gz` is before `mail.log.1`, `mail.log-20261126` before
`mail.log-20261127`, and all are before `mail.log`. Nothing is opened here.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

import msgspec

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
