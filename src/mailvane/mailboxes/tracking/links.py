"""Tracking links: what a URL says of a mail, and the signature that nobody else can make. Pure.

A token is base64url without padding (RFC 4648, section 5) of 16 bytes of HMAC-SHA-256 and of what they sign, which
names the workspace, the mail, what the link is for, and where it leads. So a link of one workspace says nothing in
another one, and none leads where its workspace did not say.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from enum import StrEnum
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec

from mailvane.core.errors import InvalidInput

SECRET_BYTES = 32
LONGEST_TOKEN = 8 * 1024  # characters
LONGEST_TARGET = 2048
_MAC_BYTES = 16
_PURPOSE = b"mailvane tracking 1\0"
_LONGEST_MESSAGE_ID = 998  # of a line: RFC 5322, section 2.1.1


class LinkKind(StrEnum):
    """What a request of the link means."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"


class MailName(msgspec.Struct, frozen=True, array_like=True):
    """A mail to one recipient: by its identity in the mail log, or by a Message-ID while it is not there yet."""

    recipient: str
    message_id: str = ""  # with angle brackets; empty: by the next three
    relay: int = 0
    accepted_at: int = 0
    number: int = 0


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What is signed."""

    workspace: int
    kind: LinkKind
    made_at: int  # milliseconds
    mail: MailName
    place: int = 0  # of a link in its mail, from 1
    links: int = 0  # how many there are in that mail
    target: str = ""


class SignedLink(msgspec.Struct, frozen=True):
    """A link that was read, with what it was read from."""

    link: Link
    payload: bytes
    mac: bytes

    def is_of(self, secret: bytes) -> bool:
        return hmac.compare_digest(self.mac, _mac(secret, self.payload))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Link)


def token_of(link: Link, secret: bytes) -> str:
    payload = _encoder.encode(link)
    return urlsafe_b64encode(_mac(secret, payload) + payload).rstrip(b"=").decode("ascii")


def read_token(token: str) -> SignedLink | None:
    """None: it is no token. Whether it is genuine is still to be asked, of the secret of its workspace."""
    if not token.isascii() or len(token) > LONGEST_TOKEN:
        return None
    written = token.encode("ascii")
    try:
        decoded = b64decode(written + b"=" * (-len(written) % 4), altchars=b"-_", validate=True)
        if urlsafe_b64encode(decoded).rstrip(b"=") != written:
            return None  # other spellings of the same bytes
        mac, payload = decoded[:_MAC_BYTES], decoded[_MAC_BYTES:]
        return SignedLink(_decoder.decode(payload), payload, mac)
    except (ValueError, RecursionError):  # the errors of msgspec and binascii are ValueErrors
        return None


def mail_digest(workspace: int, mail: MailName) -> bytes:
    """16 bytes that stand for a mail of a workspace."""
    return blake2b(_encoder.encode((workspace, mail)), digest_size=16).digest()


def read_target(text: str) -> str:
    """Where a link leads: http or https, and a host. Raises InvalidInput."""
    try:
        parts = urlsplit(text)
        _, host = parts.port, parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme.lower() not in {"http", "https"}:
        raise InvalidInput(f"{text[:80]!r} is no URL to lead to: expected http:// or https:// and a host")
    if len(text) > LONGEST_TARGET or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise InvalidInput(f"a URL to lead to has at most {LONGEST_TARGET} visible ASCII characters, no backslash")
    return text


def read_message_id(text: str) -> str:
    """With angle brackets. Raises InvalidInput."""
    inner = text.strip().removeprefix("<").removesuffix(">")
    if not inner or len(inner) > _LONGEST_MESSAGE_ID or not inner.isprintable() or set(inner) & set("<> "):
        raise InvalidInput("message_id: expected one Message-ID such as <part@example.com>")
    return f"<{inner}>"


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + payload, "sha256")[:_MAC_BYTES]
