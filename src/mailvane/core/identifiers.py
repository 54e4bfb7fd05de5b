"""Ids that clients know things by."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """An id as clients of the alerts API know them: 24 hexadecimal digits."""
    return secrets.token_hex(12)
