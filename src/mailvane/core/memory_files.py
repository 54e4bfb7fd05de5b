"""Files that lie in memory alone, for what reads from files and runs in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

_BUFFER = 1 << 20  # bytes


@contextmanager
def memory_file(pieces: Iterable[bytes]) -> Generator[str]:
    """The path of a file of these, for as long as the block lasts; on disk where the system has none in memory."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("mailvane"), "wb", _BUFFER) as file:
            file.writelines(pieces)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with NamedTemporaryFile() as file:
            file.writelines(pieces)
            file.flush()
            yield file.name
