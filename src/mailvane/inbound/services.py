"""What the HTTP interfaces of inbound mail need. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.digest.links import HeldLinks
from mailvane.inbound.quarantine import Quarantine
from mailvane.inbound.received import ReceivedMail
from mailvane.inbound.stores import InboundStores


@dataclass(frozen=True)
class InboundServices:
    """Addresses, senders, messages, and what may be done with those."""

    tenancy: Tenancy
    stores: InboundStores
    received: ReceivedMail
    quarantine: Quarantine
    retention_days: int  # of held content
    links: HeldLinks  # by which people decide about held mail
    content: Callable[[str], bytes | None]  # of a message, by its hash, while it is kept
