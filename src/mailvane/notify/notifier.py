"""What a notifier is: delivery by one channel. The worker decides when to try and retry."""

from __future__ import annotations

from typing import Protocol

import msgspec

from mailvane.core.errors import Permanent, Transient
from mailvane.notify.model import Channel, Notification


class NotDelivered(Transient):
    """It did not arrive, and may when it is tried again."""

    def __init__(self, message: str, retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms  # 0: nobody said


class Refused(Permanent):
    """It will not be taken, however often it is tried."""


class Delivered(msgspec.Struct, frozen=True):
    """What whoever took it said."""

    detail: str = ""


class Image(msgspec.Struct, frozen=True):
    """A PNG that the HTML of a mail shows as `cid:name`."""

    name: str
    content: bytes


class RenderedEmail(msgspec.Struct, frozen=True):
    """What a mail says."""

    subject: str
    text: str
    html: str
    images: tuple[Image, ...] = ()


class Notifier(Protocol):
    @property
    def channel(self) -> Channel: ...

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        """Raises NotDelivered, Refused, NotAllowed."""
