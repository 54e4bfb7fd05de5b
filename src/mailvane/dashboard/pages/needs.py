"""What needs a person."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Need(msgspec.Struct, frozen=True):
    """One thing, with where it is looked at."""

    mark: str
    text: str
    why: str
    path: str  # below the workspace
    act: str
    source: str = ""  # that would have to answer, where it can be asked now


_WORST = ("bad", "warn", "unknown")


def worst_first(needs: Iterable[Need]) -> list[Need]:
    return sorted(needs, key=lambda need: _WORST.index(need.mark))
