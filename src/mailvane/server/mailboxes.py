"""Puts mailboxes together from the settings and the stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from mailvane.core.errors import MailvaneError
from mailvane.core.periodic import every
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.health import DnsHealth
from mailvane.mailboxes.performance import Figures
from mailvane.mailboxes.service import Mailboxes
from mailvane.mailboxes.services import MailboxServices
from mailvane.maillog.interface import EngagementLog
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings

log = logging.getLogger(__name__)

_WATCH_SECONDS = 300.0


def mailbox_services(
    settings: Settings, ledger: Ledger, tenancy: Tenancy, maillog: Callable[[], EngagementLog]
) -> MailboxServices:
    """DNS is asked of the resolvers that reputation asks, too."""

    def ask_dns(domain: str) -> DnsHealth:
        # No other command on mailboxes should wait for a resolver to be loaded.
        from mailvane.core.dns.lookups import Lookups  # noqa: PLC0415
        from mailvane.mailboxes.dns_health import asking  # noqa: PLC0415

        asked, selectors = settings.reputation, settings.mailboxes.dkim_selectors
        return asking(lambda: Lookups(asked.resolvers, asked.lookups_at_once), selectors)(domain)

    return MailboxServices(
        mailboxes=Mailboxes(ledger.mailboxes, tenancy, Figures(maillog), settings.mailboxes),
        tenancy=tenancy,
        ask_dns=ask_dns,
    )


class WarmupWatch:
    """Pauses warm-ups that bounce. Several nodes may do so: a warm-up that is paused is left alone."""

    def __init__(self, mailboxes: Mailboxes, clock: Callable[[], int]) -> None:
        self._mailboxes = mailboxes
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        await every(_WATCH_SECONDS, "looking after warm-ups", partial(asyncio.to_thread, self.look))

    def look(self) -> None:
        try:
            paused = self._mailboxes.pause_bouncing(self._clock())
        except MailvaneError as error:
            log.warning("warm-ups are not looked after for now: %s", error)
            return
        for one in paused:
            log.warning("the warm-up of %s is paused: too much of its mail bounced", one.address)
