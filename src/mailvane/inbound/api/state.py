"""Where a workspace's inbound mail comes from, over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.inbound.received import Source
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked


class InboundState(msgspec.Struct, frozen=True, kw_only=True):
    """What contacts and messages are made of: `gateway`, `log` of a mail server, or `none`."""

    source: str
    domains: Sequence[str]  # whose mail comes in
    why_nothing_is_held: str  # empty where the gateway holds what it has to


def show(services: InboundServices, asked: Asked) -> InboundState:
    source = services.received.source(asked.workspace)
    if source is Source.LOG:
        domains = services.received.logged_domains(asked.workspace)
    else:
        domains = [one.name for one in services.stores.domains.domains(asked.workspace)]
    return InboundState(source=source.value, domains=domains, why_nothing_is_held=source.why_nothing_is_held)
