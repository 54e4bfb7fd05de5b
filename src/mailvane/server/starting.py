"""What a server does first: it says its settings, refuses a door that is taken, and opens the stores on a thread, while
the modules of its services load.

What it is then made of, and how it runs, is `serving`, which this does not import.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from mailvane.core.connections import ConnectionLimits
from mailvane.core.errors import InvalidSetting
from mailvane.core.listening import Listen
from mailvane.core.priority import at_low_priority
from mailvane.server.descriptors import connections_of_a_door, raised
from mailvane.server.mail_metrics import MailMetrics
from mailvane.server.settings import SMTP_DEFAULT, Settings, base_url, shown
from mailvane.server.stores import Stores, opening_stores, stores_here
from mailvane.server.timeline import Timeline

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """What `serving` goes on from."""

    timeline: Timeline
    limits: ConnectionLimits
    registry: CollectorRegistry
    mail: MailMetrics
    stores: Callable[[], Stores]  # waits until they are open; raises what keeps them from being opened


@contextmanager
def started(settings: Settings, roles: frozenset[str]) -> Iterator[Start]:
    """The stores are opened meanwhile, and closed at the end of the block. Raises InvalidSetting."""
    timeline = Timeline("modules of the stores")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    log.info("settings: %s", "; ".join(f"{name}={value}" for name, value in shown(settings).items()))
    limits = connections_of_a_door(raised())
    _refuse_busy_doors(settings, roles)
    registry = CollectorRegistry()
    mail = MailMetrics(registry)
    url = base_url(settings) if "http" in roles else ""
    opening = partial(stores_here, settings, "mailvane serve", url, mail.recorded)
    with opening_stores(opening, at_low_priority) as stores:
        yield Start(timeline, limits, registry, mail, stores)


def _refuse_busy_doors(settings: Settings, roles: frozenset[str]) -> None:
    if "http" in roles:
        _refuse_busy(settings.http)
    if "policy" in roles and isinstance(settings.policy, Listen):
        _refuse_busy(settings.policy)
    if "smtp" in roles and str(settings.smtp) != SMTP_DEFAULT:
        _refuse_busy(settings.smtp)


def _refuse_busy(listen: Listen) -> None:
    """Said before the stores are opened: a second server on the port should hear it at once."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(tuple(listen))
        except OSError as error:
            raise InvalidSetting(f"cannot listen on {listen}: {error.strerror}") from None
