"""What the interfaces of mailboxes need. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.health import DnsHealth
from mailvane.mailboxes.service import Mailboxes


@dataclass(frozen=True)
class MailboxServices:
    """Mailboxes and their figures, the tenants, and what asks DNS about a domain (blocking; raises nothing)."""

    mailboxes: Mailboxes
    tenancy: Tenancy
    ask_dns: Callable[[str], DnsHealth]
