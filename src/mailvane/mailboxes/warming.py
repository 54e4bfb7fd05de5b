"""What can be done with a mailbox's warm-up: begin, pause, go on, end. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.mailboxes.model import PausedFor, Warmup, WarmupStatus


class WarmupStep(StrEnum):
    """In the words of commands and bodies."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


def stepped(warmup: Warmup, step: WarmupStep, now: int) -> Warmup:
    """Raises InvalidInput for what cannot be done now."""
    running, paused = bool(warmup.started_at), bool(warmup.paused_at)
    if step is WarmupStep.START:
        if running:
            raise InvalidInput("the warm-up has begun already")
        return msgspec.structs.replace(warmup, started_at=now, paused_at=0, judged_from=now)
    if not running:
        raise InvalidInput("the warm-up has not begun")
    if step is WarmupStep.STOP:
        return msgspec.structs.replace(warmup, started_at=0, paused_at=0)
    if paused is (step is WarmupStep.PAUSE):
        raise InvalidInput("the warm-up is paused already" if paused else "the warm-up is not paused")
    if step is WarmupStep.PAUSE:
        return msgspec.structs.replace(warmup, paused_at=now, paused_for=PausedFor.ASKED)
    # It goes on with the day on which it was paused.
    started_at = warmup.started_at + now - warmup.paused_at
    return msgspec.structs.replace(warmup, started_at=started_at, paused_at=0, judged_from=now)


class BounceRule(msgspec.Struct, frozen=True):
    """When bounces pause a warm-up: so many at least, and more than this share of the mails."""

    percent: float = 5.0  # 0: never
    least: int = 3

    def is_broken(self, sent: int, bounced: int) -> bool:
        return bool(self.percent) and bounced >= self.least and 100 * bounced > self.percent * sent


def paused_for_bounces(warmup: Warmup, now: int) -> Warmup:
    """As it is where it does not run."""
    if warmup.status(now) is not WarmupStatus.IN_PROGRESS:
        return warmup
    return msgspec.structs.replace(warmup, paused_at=now, paused_for=PausedFor.BOUNCES)
