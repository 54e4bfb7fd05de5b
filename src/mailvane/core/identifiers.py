"""Ids that clients know things by."""

from __future__ import annotations

import secrets
from uuid import UUID


def new_id() -> str:
    """An id as clients of the alerts API know them: 24 hexadecimal digits."""
    return secrets.token_hex(12)


def ordered_uuid(now: int) -> str:
    """A UUID of version 7 (RFC 9562): in the order of time, so that an index grows at its end."""
    number = (now & (1 << 48) - 1) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
