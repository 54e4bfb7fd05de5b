"""Puts mailboxes together from the settings and the stores."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.core.dns.lookups import Lookups
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.dns_health import asking
from mailvane.mailboxes.performance import Figures
from mailvane.mailboxes.service import Mailboxes
from mailvane.mailboxes.services import MailboxServices
from mailvane.maillog.interface import EngagementLog
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings


def mailbox_services(
    settings: Settings, ledger: Ledger, tenancy: Tenancy, maillog: Callable[[], EngagementLog]
) -> MailboxServices:
    """DNS is asked of the resolvers that reputation asks, too."""
    asked = settings.reputation
    return MailboxServices(
        mailboxes=Mailboxes(ledger.mailboxes, tenancy, Figures(maillog), settings.mailboxes),
        tenancy=tenancy,
        ask_dns=asking(lambda: Lookups(asked.resolvers, asked.lookups_at_once), settings.mailboxes.dkim_selectors),
    )
