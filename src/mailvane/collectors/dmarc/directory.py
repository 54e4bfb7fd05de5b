"""Takes reports out of a directory: to `done/` when they are durable, to `refused/` with the reason beside them.

Blocking, so it belongs on a thread. A file that is still being written is left alone.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from mailvane.collectors.dmarc.arrivals import Deliver, is_refused, reasons
from mailvane.errors import CollectionFailed, MailvaneError

log = logging.getLogger(__name__)

STABLE_MS = 10_000  # nobody has written to it for so long, or it is as it was a look before
MOST_FILES = 1000  # of one round
_MS = 1_000_000


class DropDirectory:
    """One directory. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, tuple[int, int]] = {}

    def read(self, deliver: Deliver, now: int) -> int:
        """Hand in what is stable; how many files. Raises CollectionFailed."""
        try:
            stable = self._stable(now)
            for path in stable:
                self._hand_in(path, deliver)
        except OSError as error:
            raise CollectionFailed(f"the report directory cannot be used: {error}") from None
        return len(stable)

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
        return stable[:MOST_FILES]

    def _hand_in(self, path: Path, deliver: Deliver) -> None:
        try:
            # A link that was put in its place meanwhile must not have us read something else.
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        with os.fdopen(opened, "rb") as file:
            try:
                taken = deliver(file, path.name)
            except (MailvaneError, OSError):
                raise
            except Exception:
                # One file that we fail at must not keep the others from being read.
                log.exception("%s of the report directory could not be taken in", path.name)
                return
        why = reasons(taken)
        target = _moved(path, self._path / ("refused" if is_refused(taken) else "done"))
        if why:
            target.with_name(f"{target.name}.reason").write_text("\n".join(why) + "\n", "utf-8", "replace")
        self._seen.pop(path.name, None)


def _moved(path: Path, folder: Path) -> Path:
    """Under its own name, or under one with a number when that is taken."""
    folder.mkdir(exist_ok=True)
    number = 0
    while (target := folder / (f"{path.name}.{number}" if number else path.name)).exists():
        number += 1
    return path.rename(target)
