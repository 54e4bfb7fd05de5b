"""Signed links of the digest: what they say, and what is refused."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

import pytest

from mailvane.inbound.digest.links import LIVES_MS, Decision, HeldLink, HeldLinks
from mailvane.notify.model import SigningSecret

NOW = 1_790_000_000_000
MESSAGE = "01980000-0000-7000-8000-000000000000"


def secrets(*texts: str) -> list[SigningSecret]:
    return [SigningSecret(workspace=1, secret=text, created_at=NOW) for text in texts]


def links(*texts: str) -> HeldLinks:
    """Of the workspaces 1 and 2, each with secrets of its own."""

    def known(workspace: int, _now: int) -> list[SigningSecret]:
        return secrets(*(f"{workspace} {text}" for text in texts)) if workspace in (1, 2) else []

    return HeldLinks(known, known)


TOKEN = links("whsec_a").token(1, MESSAGE, Decision.ACCEPT, NOW)


def test_a_link_says_what_was_signed_until_it_expires() -> None:
    expected = HeldLink(1, MESSAGE, Decision.ACCEPT, NOW + LIVES_MS)
    assert links("whsec_a").read(TOKEN, NOW + LIVES_MS - 1) == expected
    assert links("whsec_a").read(TOKEN, NOW + LIVES_MS) is None


def test_a_former_secret_counts_while_it_lives() -> None:
    assert links("whsec_new", "whsec_a").read(TOKEN, NOW) is not None
    assert links("whsec_new").read(TOKEN, NOW) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"accept", b"reject"), (MESSAGE.encode(), MESSAGE[:-1].encode() + b"1"), (b"\x94\x01", b"\x94\x02")],
    ids=["decision", "message", "workspace"],
)
def test_what_was_signed_cannot_be_changed(old: bytes, new: bytes) -> None:
    signed = b64decode(TOKEN + "=" * (-len(TOKEN) % 4), altchars=b"-_")
    assert old in signed
    forged = urlsafe_b64encode(signed.replace(old, new)).rstrip(b"=").decode()
    assert links("whsec_a").read(forged, NOW) is None


@pytest.mark.parametrize(
    "token", ["", "x", "é", "=" * 20, TOKEN[:-1], TOKEN + "AAAA", "A" * 100, "A" * 10_000, "\udcff"]
)
def test_what_is_no_token_is_none(token: str) -> None:
    assert links("whsec_a").read(token, NOW) is None
