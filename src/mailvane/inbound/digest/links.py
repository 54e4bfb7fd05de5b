"""Links by which somebody decides about one held message, signed and for a time.

A token is base64url without padding (RFC 4648, section 5) of 32 bytes of HMAC-SHA-256 and of what they sign: workspace,
message, decision and expiry. It is signed with a secret of the workspace, the same that its webhooks are signed with:
whoever may read that may decide about its messages anyway. When it is rotated, older links end after a day.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.notify.model import SigningSecret

LIVES_MS = 7 * DAY_MS
_LONGEST_TOKEN = 500
_MAC_BYTES = 32
_PURPOSE = b"mailvane quarantine link 1\0"


class Decision(StrEnum):
    """What a link is for."""

    ACCEPT = "accept"
    REJECT = "reject"


class HeldLink(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is signed."""

    workspace: int
    message: str  # id
    decision: Decision
    expires_at: int  # ms


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HeldLink)
Secrets = Callable[[int, int], Sequence[SigningSecret]]


class HeldLinks:
    """Makes and reads them."""

    def __init__(self, current: Secrets, known: Secrets) -> None:
        """Of a workspace and a time: `current`, made when there was none; `known`, which makes none for a stranger."""
        self._current = current
        self._known = known

    def token(self, workspace: int, message: str, decision: Decision, now: int) -> str:
        payload = _encoder.encode(HeldLink(workspace, message, decision, now + LIVES_MS))
        secret = self._current(workspace, now)[0]
        return urlsafe_b64encode(_mac(secret, payload) + payload).rstrip(b"=").decode("ascii")

    def read(self, token: str, now: int) -> HeldLink | None:
        """None for one that is forged, broken or expired."""
        found = _read(token)
        if found is None:
            return None
        link, payload, mac = found
        secrets = self._known(link.workspace, now) if 0 < link.workspace < 2**31 else ()
        genuine = [hmac.compare_digest(mac, _mac(secret, payload)) for secret in secrets]
        return link if any(genuine) and now < link.expires_at else None


def _read(token: str) -> tuple[HeldLink, bytes, bytes] | None:
    if not token.isascii() or len(token) > _LONGEST_TOKEN:
        return None
    try:
        decoded = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return _decoder.decode(decoded[_MAC_BYTES:]), decoded[_MAC_BYTES:], decoded[:_MAC_BYTES]
    except ValueError:  # the errors of msgspec and binascii are ValueErrors
        return None


def _mac(secret: SigningSecret, payload: bytes) -> bytes:
    return hmac.digest(secret.secret.encode(), _PURPOSE + payload, "sha256")
