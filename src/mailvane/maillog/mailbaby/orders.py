"""/mail and /mail/{id}: the relays of a workspace, as mail orders. Blocking; the caller brings the thread."""

from __future__ import annotations

import re

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.tenants.model import Relay
from mailvane.maillog.mailbaby.shape import MailOrder, MailOrderDetail
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import Asked

PASSWORD_MASK = "********"  # noqa: S105 - secrets are kept as hashes, so there is nothing else to show

_ELSEWHERE = frozenset({"blocks", "rules", "send", "advsend", "rawsend"})  # paths of the vendor's that are not served
_ID = re.compile(r"-?\d{1,18}", re.ASCII)


def orders(services: MailLogServices, asked: Asked) -> list[MailOrder]:
    """All orders, canceled ones too."""
    found = services.tenancy.relays(asked.workspace)
    return [MailOrder(*_common(relay), comment=relay.comment) for relay in found]


def order(services: MailLogServices, asked: Asked) -> MailOrderDetail:
    """Raises InvalidInput, NotFound."""
    workspace, text = asked.workspace, asked.path["order_id"]
    if text in _ELSEWHERE:
        raise NotFound("Not Found")
    if not _ID.fullmatch(text):
        raise InvalidInput("invalid id: must be an integer")
    try:
        relay = services.tenancy.relay(int(text))
    except NotFound:
        raise NotFound("no such mail order") from None
    if relay.workspace != workspace:
        raise NotFound("no such mail order")
    return MailOrderDetail(*_common(relay), PASSWORD_MASK, relay.comment)


def _common(relay: Relay) -> tuple[int, str, str]:
    return relay.id, "active" if relay.active else "canceled", f"mb{relay.id}"
