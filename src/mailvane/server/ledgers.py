"""Opens the ledger that the settings name. Loads no engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailvane.core.errors import InvalidSetting
from mailvane.notify.worker import HOLD_MS
from mailvane.server.asking import is_embedded
from mailvane.server.ledger import Ledger, open_ledger

if TYPE_CHECKING:
    from mailvane.server.settings import Settings

log = logging.getLogger(__name__)


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """The ledger, migrated to this version's schema. Any number of processes may have it open."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidSetting(f"data directory {settings.data}: {error.strerror}") from None
    ledger = open_ledger(settings.ledger)
    try:
        yield ledger
    finally:
        ledger.close()


def end_what_dead_processes_hold(settings: Settings, ledger: Ledger, now: int) -> None:
    """For the one process that may use the ledger: whatever is held in it was held by one that was killed.

    A ledger that several processes share is left as it is, for what they hold ends by itself.
    """
    inside = f"sqlite:///{settings.data}"
    if is_embedded(settings) and settings.ledger.startswith(inside):
        ledger.nodes.forget_all()
        leases, messages = ledger.leases.void_leases(), ledger.outbox.let_go(now, HOLD_MS)
        messages += ledger.inbound.queue.let_go(now)
        if leases or messages:
            log.info("ended %d lease(s) and took back %d message(s) of a process that was killed", leases, messages)
