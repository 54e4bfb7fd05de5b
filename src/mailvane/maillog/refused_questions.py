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
    """How many refusals, for good or for now, in each stretch of `step` milliseconds of coming, the oldest first."""

    refused: RefusedQuestion
    step: int


class RefusedTime(msgspec.Struct, frozen=True):
    """How many mails that came in a stretch of time were refused, for good (`hard`) or for now."""

    since: int
    hard: bool
    count: int
