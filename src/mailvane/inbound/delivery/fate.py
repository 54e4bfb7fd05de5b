"""What a try to hand a message on makes of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.inbound import events
from mailvane.inbound.events import Answered
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.store.rows import Change
from mailvane.maillog.model import ReasonFamily


def after_try(message: Message, answered: Answered, now: int, pauses: Sequence[float], keep_days: int) -> Change:
    """Delivered, tried again later, or failed for good; `pauses` in minutes, between one try and the next."""
    attempts = message.attempts + 1
    common = {"attempts": attempts, "reply": answered.reply, "changed_at": now, "holder": ""}
    if answered.code // 100 == 2:
        after = msgspec.structs.replace(
            message,
            **common,
            status=MessageStatus.DELIVERED,
            next_at=None,
            content=None,
            delivered_at=now,
            expires_at=None,
        )
    elif answered.code // 100 == 5 or attempts > len(pauses):
        after = msgspec.structs.replace(
            message, **common, status=MessageStatus.FAILED, next_at=None, reason=answered.reply[:200],
            expires_at=now + keep_days * DAY_MS,
        )  # fmt: skip
    else:
        next_at = now + int(pauses[attempts - 1] * MINUTE_MS)
        after = msgspec.structs.replace(message, **common, next_at=next_at)
    return Change(before=message, after=after, events=(events.tried(after, now, answered),))


def unreachable(reason: str) -> Answered:
    """What is noted of messages that met no answer."""
    return Answered(reply=reason, family=ReasonFamily.NETWORK)


def lost(message: Message, now: int, reason: str) -> Change:
    """Its content is gone or broken, so nothing can be handed on."""
    after = msgspec.structs.replace(
        message,
        status=MessageStatus.FAILED,
        next_at=None,
        holder="",
        reason=reason,
        reply=reason,
        content=None,
        changed_at=now,
    )
    return Change(before=message, after=after, events=(events.tried(after, now, Answered(reply=reason, hard=True)),))
