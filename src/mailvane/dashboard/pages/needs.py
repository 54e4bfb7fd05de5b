"""What needs a person."""

from __future__ import annotations

import msgspec


class Need(msgspec.Struct, frozen=True):
    """One thing, with where it is looked at."""

    mark: str
    text: str
    why: str
    path: str  # below the workspace
    act: str
