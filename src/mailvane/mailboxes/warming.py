"""What can be done with a mailbox's warm-up: begin, pause, go on, end. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.mailboxes.model import Warmup


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
        return msgspec.structs.replace(warmup, started_at=now, paused_at=0)
    if not running:
        raise InvalidInput("the warm-up has not begun")
    if step is WarmupStep.STOP:
        return msgspec.structs.replace(warmup, started_at=0, paused_at=0)
    if paused is (step is WarmupStep.PAUSE):
        raise InvalidInput("the warm-up is paused already" if paused else "the warm-up is not paused")
    if step is WarmupStep.PAUSE:
        return msgspec.structs.replace(warmup, paused_at=now)
    # It goes on with the day on which it was paused.
    return msgspec.structs.replace(warmup, started_at=warmup.started_at + now - warmup.paused_at, paused_at=0)
