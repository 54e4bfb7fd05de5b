"""/mail/stats: counts of a window, and the billing cycle's bill. Blocking; the caller brings the thread."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.maillog.mailbaby.shape import MailStats, Volume
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import Asked

WINDOWS = ("all", "billing", "month", "7d", "24h", "day", "1h")
DEFAULT_WINDOW = "1h"


def stats(services: MailLogServices, asked: Asked) -> MailStats:
    """Over all active orders; a window of another name is an hour, as upstream has it.

    Raises InvalidInput when there is no active order, StoreUnavailable.
    """
    workspace, now = asked.workspace, asked.now
    window = asked.query.get("time")
    known = window if window in WINDOWS else DEFAULT_WINDOW
    charges, counts = services.history.overview(workspace, known, now, services.zone)
    if not charges:
        raise InvalidInput("no active mail order")
    return MailStats(
        time=known,
        usage=sum(charge.mails for charge in charges),
        currency=charges[0].currency,
        cost=float(charges[0].cost),  # ours: the API has one currency; relays priced in another are not in it
        received=counts.received,
        sent=counts.sent,
        volume=Volume(to=counts.recipients, from_=counts.senders, ip=counts.origins),
    )
