"""The daily digests of held mail, put together from the settings and the stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailvane.core.daily import Daily
from mailvane.core.leasing import Leasing
from mailvane.core.periodic import Background
from mailvane.inbound.digest.schedule import DigestSchedule
from mailvane.inbound.digest.sending import Digests
from mailvane.inbound.services import InboundServices
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings, base_url


def digests_of(settings: Settings, services: InboundServices, url: str | None = None) -> Digests:
    """With links to the URL that is given, or set, or to where the server listens."""
    known_as = url or settings.inbound.digest_url or base_url(settings)
    return Digests(services, settings.notify.mail, known_as, settings.timezone)


def digest_schedule(ledger: Ledger, digests: Digests, clock: Callable[[], int]) -> DigestSchedule:
    """Belongs to the event loop that it is first used in."""
    leasing = Leasing(ledger.leases, clock)
    return DigestSchedule(digests, lambda: [one.id for one in ledger.tenants.workspaces()], leasing, clock)


def digesting(
    settings: Settings, ledger: Ledger, services: InboundServices, clock: Callable[[], int]
) -> Sequence[Background]:
    """What a server does while it runs."""
    inbound = settings.inbound
    if not inbound.digest_schedule:
        return ()
    schedule = digest_schedule(ledger, digests_of(settings, services), clock)
    return (Daily(inbound.digest_hour, inbound.digest_timezone, schedule.post, clock).run,)
