"""Memory that only the start of a process needed, given back. What it is asked for again comes back by itself."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_MAPPINGS = Path("/proc/self/smaps")
_DONT_NEED = 4  # MADV_DONTNEED of madvise(2)
_LARGE = 64 * 1024 * 1024  # bytes


class Mapping(NamedTuple):
    """A stretch of addresses that stands for a file."""

    begins: int
    ends: int
    file: str


def give_back() -> None:
    """Free memory that was allocated goes back to the system, and so do pages of large libraries."""
    if sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    if hasattr(system, "malloc_trim"):  # of the GNU C library
        system.malloc_trim(0)
    give_back_libraries()


def give_back_libraries() -> None:
    """Pages of large libraries go back to the system as they lie on disk.

    The code that sets up a library of half a gigabyte is never run again, but would be counted as this process's for
    good. Nothing is lost: only pages that this process cannot have changed, which are read from the file again. Where
    the system does not tell them, all stay.
    """
    if sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    with suppress(OSError):
        for mapping in unchanged(_MAPPINGS.read_text(errors="replace")):
            begins, length = ctypes.c_void_p(mapping.begins), ctypes.c_size_t(mapping.ends - mapping.begins)
            system.madvise(begins, length, _DONT_NEED)


def unchanged(mappings: str) -> Iterator[Mapping]:
    """Large libraries in what proc_pid_smaps(5) tells: where they are mapped privately, cannot be written, and no page
    was ever written, as those with relocated addresses were."""
    found: Mapping | None = None
    for line in mappings.splitlines():
        name, *rest = line.split(maxsplit=5)
        if not name.endswith(":"):
            begins, ends = (int(address, 16) for address in name.split("-"))
            is_code = rest[0] in {"r--p", "r-xp"} and len(rest) == 5 and ".so" in rest[4] and ends - begins >= _LARGE
            found = Mapping(begins, ends, rest[4]) if is_code else None
        elif name == "Anonymous:" and found is not None and rest[0] == "0":
            yield found
