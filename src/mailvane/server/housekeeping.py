"""What a server clears away now and then while it runs. Nothing waits for it, and nothing breaks when it is late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from mailvane.core.errors import MailvaneError
from mailvane.core.moments import DAY_MS
from mailvane.core.periodic import every
from mailvane.reputation.model import ObservationKind
from mailvane.server.ledger import Ledger

log = logging.getLogger(__name__)

# How long an event that is sent to the intake again is known. A queue of a mail server gives up after days; whoever
# sends a month's file again is known still.
EVENT_IDS_DAYS = 35
EVERY_SECONDS = 3600.0
# Backtests look back so far. What is the newest of its kind is kept for ever: it is what is known.
OBSERVATIONS_DAYS = 400
# How long it can be looked up what became of a message, and a message be sent again. The alert's log stays.
NOTIFICATIONS_DAYS = 90
# Trends look back eight weeks; the rest is for whoever asks how it was a year ago.
HEALTH_DAYS = 400


Forget = Callable[[int], int]
"""Forgets what is of before a time; how many that was. Raises StoreUnavailable."""


class Housekeeping:
    """Several nodes may clear away the same things: it is harmless."""

    def __init__(
        self,
        event_ids: Forget,
        observations: Forget,
        notifications: Forget,
        health: Forget,
        clock: Callable[[], int],
    ) -> None:
        self._kept = (
            ("event ids", event_ids, EVENT_IDS_DAYS),
            ("observations", observations, OBSERVATIONS_DAYS),
            ("notifications", notifications, NOTIFICATIONS_DAYS),
            ("health readings", health, HEALTH_DAYS),
        )
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        await every(EVERY_SECONDS, "clearing away what is old", partial(asyncio.to_thread, self.tidy))

    def tidy(self) -> None:
        now = self._clock()
        for what, forget, days in self._kept:
            try:
                forgotten = forget(now - days * DAY_MS)
            except MailvaneError as error:
                log.warning("old %s are kept for now: %s", what, error)
            except Exception:
                log.exception("forgetting old %s failed", what)
            else:
                if forgotten:
                    log.info("forgot %d %s older than %d days", forgotten, what, days)


def housekeeping_of(ledger: Ledger, clock: Callable[[], int]) -> Housekeeping:
    observations = partial(ledger.observations.forget_observations, tuple(ObservationKind))
    return Housekeeping(
        ledger.journal.prune,
        observations,
        ledger.outbox.forget_notifications,
        ledger.health.readings.forget_readings,
        clock,
    )
