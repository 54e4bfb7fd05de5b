"""How far a search goes: in each run a part that stands for the whole; all of it with TEST_MAILVANE_DEEP=1.

That is for the machine of those who change what is searched: it takes hours where the other takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

DEEP = os.environ.get("TEST_MAILVANE_DEEP") == "1"

T = TypeVar("T")


def thinned(cases: Iterable[T], every: int) -> list[T]:
    """One of so many cases. No common divisor with a dimension of their table, so that each value of it is met."""
    return list(islice(cases, 0, None, 1 if DEEP else every))


def rounds(usual: int, deep: int) -> int:
    """How often something is tried at random, or killed in the middle of it."""
    return deep if DEEP else usual
