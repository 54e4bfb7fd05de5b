"""Questions that count what was refused, and their answers. Values only."""

from __future__ import annotations

from typing import Literal

import msgspec

from mailvane.maillog.queries import RefusedQuestion


class RefusedTallyQuestion(msgspec.Struct, frozen=True):
    """How many refusals that pass have which value, the most first. The page of the question plays no part."""

    refused: RefusedQuestion
    by: Literal["family", "sender_domain", "recipient_domain", "origin", "sender", "host", "login", "relay"]
    top: int = 10


class RefusedTimeQuestion(msgspec.Struct, frozen=True):
    """How many refusals of each kind in each stretch of `step` milliseconds of coming, the oldest first."""

    refused: RefusedQuestion
    step: int


class RefusedTime(msgspec.Struct, frozen=True):
    """How many refusals of mails that came in a stretch of time were permanent, or transient (RFC 5321, 4.2.1)."""

    since: int
    permanent: bool  # by the code, 5yz; where there is none, as its reason is
    count: int
