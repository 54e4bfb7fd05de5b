"""Passwords: hashed by scrypt (RFC 7914) with a salt of their own, and compared in constant time."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from hmac import compare_digest

from mailvane.core.errors import InvalidFields

SHORTEST, LONGEST = 10, 256  # characters
_COST, _BLOCK, _LANES = 2**15, 8, 1  # about 32 MiB and 80 ms
_SALT_BYTES = 16
_MEMORY = 64 * 1024 * 1024


def hashed(password: str) -> str:
    """As it is stored: `scrypt$cost$block$lanes$salt$hash`. Raises InvalidFields."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidFields(("password", f"{SHORTEST} to {LONGEST} characters are required"))
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, _COST, _BLOCK, _LANES)
    return "$".join(("scrypt", str(_COST), str(_BLOCK), str(_LANES), _text(salt), _text(digest)))


def is_right(password: str, stored: str | None) -> bool:
    """Whether this is the password; takes as long when there is none to compare with."""
    _, cost, block, lanes, salt, digest = (stored or _NOBODY).split("$")
    presented = _scrypt(password[:LONGEST], b64decode(salt), int(cost), int(block), int(lanes))
    return compare_digest(presented, b64decode(digest)) and stored is not None


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost, r=block, p=lanes, maxmem=_MEMORY, dklen=32)


def _text(content: bytes) -> str:
    return b64encode(content).decode()


_NOBODY = "$".join(("scrypt", str(_COST), str(_BLOCK), str(_LANES), _text(bytes(_SALT_BYTES)), _text(bytes(32))))
