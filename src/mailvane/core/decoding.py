"""Types that any number of threads may read values as.

msgspec learns the fields of a struct when it is first read, and shows other threads what it has learnt so far: two
that read one for the first time at the same moment crash the process (seen with msgspec 0.22.0). So a type is learnt
by one thread, before it is used.
"""

from __future__ import annotations

from threading import Lock
from typing import TypeVar

import msgspec

T = TypeVar("T")

_learning = Lock()
_learnt: set[object] = set()


def prepared(kind: type[T]) -> type[T]:
    """The type, to be given to `msgspec.convert`, `msgspec.json.decode` or a decoder within a function."""
    if kind not in _learnt:
        with _learning:
            msgspec.msgpack.Decoder(kind)
            _learnt.add(kind)
    return kind
