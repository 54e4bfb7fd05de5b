"""Is there room for more on the disks that the stores of this machine lie on?

A disk is full before the last byte is taken: merges of the mail log write beside what they replace.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from mailvane.core.errors import StoreFull
from mailvane.server.settings import Settings

_LEAST_FREE = 64 * 1024 * 1024
_WRITTEN = 64 * 1024  # to see that it can be: a quota shows nowhere else


def room_finder(settings: Settings) -> Callable[[], None]:
    """What raises StoreFull when there is no room for the stores of these settings."""
    found = [settings.data]
    ledger = make_url(settings.ledger)
    if ledger.get_backend_name() == "sqlite" and ledger.database:
        found.append(Path(ledger.database).absolute().parent)
    return partial(_find_room, list(dict.fromkeys(found)))


def _find_room(directories: list[Path]) -> None:
    for each in directories:
        try:
            free = shutil.disk_usage(each).free
            if free < _LEAST_FREE:
                raise StoreFull(f"the disk of the stores is nearly full: {free >> 20} MiB are left")
            with tempfile.TemporaryFile(dir=each) as file:
                file.write(bytes(_WRITTEN))
                file.flush()
                os.fdatasync(file.fileno())
        except OSError as error:
            raise StoreFull(f"nothing can be written where the stores are: {error.strerror}") from None
