"""A login that is away at the provider. The browser keeps it in a cookie, the server keeps nothing.

`state`, `nonce` and the PKCE verifier (RFC 7636) are hashes of the cookie's secret, so an answer counts only in the
browser that asked, on any node, and within ten minutes.
"""

from __future__ import annotations

import binascii
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.moments import MINUTE_MS

LONGEST_MS = 10 * MINUTE_MS
HOME = "/ui/workspaces"
_LONGEST_BACK = 1000


class Attempt(msgspec.Struct, frozen=True):
    """What the cookie holds."""

    secret: str
    began_at: int  # milliseconds since the epoch, UTC
    back: str  # a path of ours, where the person goes on
    again: bool  # the person is known and proves anew who it is

    @property
    def state(self) -> str:
        return self._derived("state")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """43 characters, RFC 7636, 4.1."""
        return self._derived("verifier")

    def text(self) -> str:
        return _encoded(msgspec.json.encode(self))

    def _derived(self, what: str) -> str:
        return _encoded(sha256(f"{what} {self.secret}".encode()).digest())


def begun(back: str, now: int, *, again: bool) -> Attempt:
    return Attempt(secrets.token_urlsafe(32), now, local_path(back), again)


def read_attempt(text: str, now: int) -> Attempt | None:
    """None for what is none, and for one that is over."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = msgspec.json.decode(urlsafe_b64decode(padded), type=prepared(Attempt))
    except (msgspec.MsgspecError, binascii.Error, UnicodeError, ValueError):
        return None
    is_current = now - LONGEST_MS < found.began_at <= now
    return msgspec.structs.replace(found, back=local_path(found.back)) if is_current and found.secret else None


def local_path(text: str) -> str:
    """A page of this dashboard to go on to, and nothing else: the home page for what leads elsewhere."""
    is_ours = text.startswith("/ui/") and text.isascii() and text.isprintable() and "\\" not in text
    return text if is_ours and len(text) <= _LONGEST_BACK else HOME


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
