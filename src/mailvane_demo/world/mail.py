"""A simulated mail, as it is written and as it lies in the queue. Values; what is done with them is elsewhere."""

from __future__ import annotations

import msgspec

from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.providers import Refusal

_LOGGED_BYTES = 200


def _cut(text: str) -> str:
    return (
        text
        if text.isascii() and len(text) <= _LOGGED_BYTES
        else text.encode()[:_LOGGED_BYTES].decode("utf-8", "ignore")
    )


class Letter(msgspec.Struct, frozen=True, gc=False):
    """What a client hands in."""

    sender: str
    recipients: list[Recipient]
    headers: tuple[tuple[str, str], ...]  # those that the header checks write to the log, in their order
    message_id: str
    size: int
    strange: float = 1.0  # how much more often than usual receivers put its sender off
    spammy: float = 0.0
    filtered: bool = False

    def logged_headers(self) -> list[str]:
        """Each header as the header checks write it: cut at 200 bytes, its name included."""
        return [_cut(f"{name}: {text}") for name, text in self.headers]


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A recipient that was not reached yet, and why not."""

    recipient: Recipient
    refusal: Refusal | None = None


class QueuedMail(msgspec.Struct):
    """A mail in the queue of one server."""

    queue_id: str
    letter: Letter
    accepted_at: int
    waiting: list[Waiting]
    notification: bool = False
    first_accepted_at: int = 0  # before a content filter took it
