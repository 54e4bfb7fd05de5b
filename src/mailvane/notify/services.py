"""What the HTTP interface of notifications needs. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.notify.interface import Channels, Outbox
from mailvane.notify.signing import Signing


@dataclass(frozen=True)
class NotifyServices:
    """Messages on their way, where they go, and what they are signed with."""

    outbox: Outbox
    channels: Channels
    signing: Signing
