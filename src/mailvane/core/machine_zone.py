"""The time zone of this machine, by its name in the IANA database: what log stamps without a zone are written in.

Looked for as the C library does, in TZ and /etc/localtime, then in /etc/timezone. UTC where none of them names one.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

_DATABASE = "zoneinfo/"  # what stands before the name in the path of a zone's file
_VARIANTS = ("posix/", "right/")
_UTC = frozenset({"Etc/UTC", "Etc/UCT", "UCT", "Etc/Universal", "Universal", "Etc/Zulu", "Zulu"})


def machine_zone(environment: Mapping[str, str], etc: Path = Path("/etc")) -> ZoneInfo:
    """The zone that programs of this machine write local time in."""
    for name in _names(environment, etc):
        try:
            return ZoneInfo("UTC" if name in _UTC else name)
        except (KeyError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def _names(environment: Mapping[str, str], etc: Path) -> Iterator[str]:
    """What the zone may be called, most trustworthy first."""
    variable = environment.get("TZ")
    if variable is not None:
        # POSIX: a colon goes before the name of a file; a rule such as CET-1CEST names no zone of the database.
        text = variable.removeprefix(":")
        yield _within_database(text) if text.startswith("/") else text or "UTC"
    localtime = etc / "localtime"
    if localtime.is_symlink():
        yield _within_database(str(localtime.readlink()))
        yield _within_database(str(localtime.resolve()))
    with suppress(OSError, ValueError):
        yield (etc / "timezone").read_text("utf-8").strip()
    yield from _copied(localtime)


def _within_database(path: str) -> str:
    name = path.rpartition(_DATABASE)[2] if _DATABASE in path else ""
    for variant in _VARIANTS:
        name = name.removeprefix(variant)
    return name


def _copied(localtime: Path) -> Iterator[str]:
    """The zone whose file was copied instead of linked."""
    try:
        content = localtime.read_bytes()
    except OSError:
        return
    for directory in map(Path, zoneinfo.TZPATH):
        for name in sorted(zoneinfo.available_timezones(), key=lambda name: ("/" not in name, name)):
            try:
                if (directory / name).stat().st_size == len(content) and (directory / name).read_bytes() == content:
                    yield name
            except OSError:
                continue
