"""Who owns a data directory. One process at a time may open the embedded mail log; the others ask that process.

The lock is the kernel's (flock), so it ends with its owner however that ends; what stands in the file only tells people
and commands who the owner is and where it answers.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidSetting, StoreInUse

_FILE = "owner.lock"
# A look at the lock holds it for a moment, and so may what a killed command leaves behind: one refusal proves nothing.
_TRIES = 20
_PAUSE = 0.05  # seconds


class Owner(msgspec.Struct, frozen=True):
    """The process that holds the directory."""

    pid: int
    purpose: str  # such as "mailvane serve"
    http: str = ""  # base URL, empty when it serves none
    settings: Mapping[str, str] = {}  # that it runs with: a hash of each, by name


@contextmanager
def owned(data: Path, purpose: str, http: str = "", settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Hold the directory for the length of a block. Raises StoreInUse, InvalidSetting."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(data / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidSetting(f"data directory {data}: {error.strerror}") from error
    try:
        _lock(handle, data)
        os.ftruncate(handle, 0)
        os.pwrite(handle, msgspec.json.encode(Owner(os.getpid(), purpose, http, settings or {})), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, data: Path) -> None:
    for _ in range(_TRIES):
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
    held = _read(handle)
    by = f"{held.purpose} (process {held.pid})" if held else "another process"
    raise StoreInUse(f"data directory {data} is in use by {by}")


def _read(handle: int) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(handle, 4096, 0), type=prepared(Owner))
    except msgspec.DecodeError:
        return None


def owner(data: Path) -> Owner | None:
    """Who holds the directory now; None when nobody does."""
    try:
        handle = os.open(data / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle) or Owner(0, "another process")
    else:
        return None
    finally:
        os.close(handle)
