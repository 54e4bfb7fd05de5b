"""What the HTTP interface of notifications needs. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.notify.channels import Channels
from mailvane.notify.signing import Signing
from mailvane.notify.store.channels import ChannelStore
from mailvane.notify.store.outbox import OutboxStore


@dataclass(frozen=True)
class NotifyServices:
    """Messages on their way, where they go, and what they are signed with."""

    outbox: OutboxStore
    channels: ChannelStore
    signing: Signing
    named: Channels
