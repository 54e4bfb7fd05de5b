"""What a server clears away now and then while it runs. Nothing waits for it, and nothing breaks when it is late."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from mailvane.errors import MailvaneError

log = logging.getLogger(__name__)

# How long an event that is sent to the intake again is known. A queue of a mail server gives up after days; whoever
# sends a month's file again is known still.
EVENT_IDS_DAYS = 35
EVERY_SECONDS = 3600.0
_DAY_MS = 86_400_000


class Prunable(Protocol):
    """What grows with every event that was told."""

    def prune(self, before: int) -> int:
        """Forget event ids first seen before a time; how many. Raises StoreUnavailable."""


class Housekeeping:
    """One thread of a server. Several nodes may clear away the same things: it is harmless."""

    def __init__(self, ledger: Prunable, clock: Callable[[], int], every: float = EVERY_SECONDS) -> None:
        self._ledger = ledger
        self._clock = clock
        self._every = every
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="housekeeping", daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._tidy()
            self._stopping.wait(self._every)

    def _tidy(self) -> None:
        try:
            pruned = self._ledger.prune(self._clock() - EVENT_IDS_DAYS * _DAY_MS)
        except MailvaneError as error:
            log.warning("old event ids are kept for now: %s", error)
        except Exception:
            log.exception("pruning event ids failed")
        else:
            if pruned:
                log.info("forgot %d event ids older than %d days", pruned, EVENT_IDS_DAYS)
