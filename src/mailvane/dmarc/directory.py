"""Takes reports out of a directory: to `done/` when they are durable, to `refused/` with the reason beside them.

Blocking, so it belongs on a thread. A file that is still being written is left alone.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mailvane.core.errors import CollectionFailed, MailvaneError, Transient
from mailvane.dmarc.arrivals import Deliver, Refuse, failed_at, is_refused, nobody, reasons, refusals
from mailvane.dmarc.intake import Taken

log = logging.getLogger(__name__)

STABLE_MS = 10_000  # nobody has written to it for so long, or it is as it was a look before
MOST_FILES = 1000  # of one round
MOST_TROUBLES = 3  # files in a round that cannot be taken in for now, before the round ends
_MS = 1_000_000


class DropDirectory:
    """One directory. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, tuple[int, int]] = {}
        self._postponed: set[str] = set()  # what could not be taken in for now comes after what was not tried yet

    def read(self, deliver: Deliver, now: int, refuse: Refuse = nobody) -> int:
        """Hand in what is stable; how many files. Raises CollectionFailed, also after others were handed in."""
        troubles: list[MailvaneError] = []
        count = 0
        try:
            for path in self._stable(now):
                try:
                    self._hand_in(path, deliver, refuse)
                    count += 1
                except Transient as error:
                    self._postponed.add(path.name)
                    troubles.append(error)
                    if len(troubles) == MOST_TROUBLES:
                        break
        except OSError as error:
            raise CollectionFailed(f"the report directory cannot be used: {error}") from None
        if troubles:
            raise troubles[0]
        return count

    def _stable(self, now: int) -> list[Path]:
        seen: dict[str, tuple[int, int]] = {}
        stable: list[Path] = []
        for path in sorted(self._path.iterdir()):
            known = path.lstat()
            if path.name.startswith(".") or not stat.S_ISREG(known.st_mode):
                continue
            seen[path.name] = (known.st_size, known.st_mtime_ns)
            rested = now - known.st_mtime_ns // _MS >= STABLE_MS
            if rested or self._seen.get(path.name) == seen[path.name]:
                stable.append(path)
        self._seen = seen
        self._postponed &= set(seen)
        stable.sort(key=lambda path: path.name in self._postponed)
        return stable[:MOST_FILES]

    def _hand_in(self, path: Path, deliver: Deliver, refuse: Refuse) -> None:
        try:
            # A link that was put in its place meanwhile must not have us read something else.
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CollectionFailed(f"{path.name} of the report directory cannot be opened: {error.strerror}") from None
        with os.fdopen(opened, "rb") as file:
            taken = _delivered(file, path.name, deliver)
        self._postponed.discard(path.name)
        refuse(refusals(taken))
        why = reasons(taken)
        target = _moved(path, self._path / ("refused" if is_refused(taken) else "done"))
        if why:
            target.with_name(f"{target.name}.reason").write_text("\n".join(why) + "\n", "utf-8", "replace")
        self._seen.pop(path.name, None)


def _delivered(file: BinaryIO, name: str, deliver: Deliver) -> Sequence[Taken]:
    try:
        return deliver(file, name)
    except (Transient, OSError):
        raise
    except Exception as error:
        # One file that we fail at must not keep the others from being read, nor come again every minute.
        log.exception("%s of the report directory could not be taken in", name)
        return [failed_at(name, error)]


def _moved(path: Path, folder: Path) -> Path:
    """Under its own name, or under one with a number when that is taken."""
    folder.mkdir(exist_ok=True)
    number = 0
    while (target := folder / (f"{path.name}.{number}" if number else path.name)).exists():
        number += 1
    return path.rename(target)
