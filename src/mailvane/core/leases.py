"""Who does what alone for a time. A value."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """What one process does alone until then, unless it renews it."""

    name: str
    holder: str
    until: int
