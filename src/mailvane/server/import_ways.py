"""The ways by which an import's blocks get into the mail log.

Where no server has the embedded mail log open, this process opens it and stores each block at once: the file is the
journal. Otherwise blocks pass through the journal, and who has the mail log open carries them: the server that runs, or
for a ClickHouse server a process of our own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Event, Thread

from mailvane.core.errors import MailvaneError, StoreUnavailable
from mailvane.maillog.clickhouse.scratch import scratch_in_memory
from mailvane.maillog.model import JournalEntry
from mailvane.maillog.postfix.plain.path import PlainPath
from mailvane.maillog.reasons import load_reasons
from mailvane.server.asking import is_embedded, serving
from mailvane.server.bulk import WayIn
from mailvane.server.import_worker import QUIET_SECONDS, ShipperProcess, shipper_process
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings
from mailvane.server.settling import settle
from mailvane.server.stores import Stores, opening_stores, stores_here

MOST_PENDING = 32  # batches: what is read ahead of the mail log waits in the ledger, so only its disk limits this
MOST_UNMERGED = 300  # blocks: every one makes a part of each table; merging takes memory and time, and nobody asks yet
_POLL_SECONDS = 0.02
_CUTTING = 2  # blocks at once, at the start
_PATIENCE_SECONDS = 60.0
_PURPOSE = "mailvane import"


@contextmanager
def way_in(settings: Settings, ledger: Ledger) -> Iterator[WayIn]:
    """What is in the way of it is raised here or when it is first needed: StoreInUse, StoreTooNew, StoreUnavailable."""
    if serving(settings):
        yield ThroughJournal(ledger, ShipperProcess(lambda: serving(settings) is not None, lambda: None))
    elif is_embedded(settings):
        # Arithmetic that nobody asks for keeps a thread for each processor, and they spin.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with (
            opening_stores(partial(stores_here, settings, _PURPOSE)) as stores,
            AtOnce(settings, stores).settling() as way,
        ):
            yield way
    else:
        with shipper_process(settings, _PURPOSE) as shipper:
            yield ThroughJournal(ledger, shipper)


class AtOnce:
    """Into the mail log that this process has open. In quiet moments and at the end, replies find their mails."""

    def __init__(self, settings: Settings, stores: Callable[[], Stores]) -> None:
        """`stores` waits until they are open."""
        self._settings = settings
        self._stores = stores
        self._taken_at = time.monotonic()
        self._ending = Event()
        self._thread: Thread | None = None
        self._unmerged = ExitStack()
        self._merges_at_once = False
        self._blocks = 0

    @contextmanager
    def settling(self) -> Iterator[AtOnce]:
        try:
            with self._unmerged:
                yield self
        finally:
            self._ending.set()
            if self._thread is not None:
                self._thread.join()

    def expect_pauses(self) -> None:
        """Start to settle in them, and merge what was stored."""
        self._merges_at_once = True
        self._thread = Thread(target=self._settle_in_quiet, name="settling", daemon=True)
        self._thread.start()

    def _settle_in_quiet(self) -> None:
        settled_at = self._taken_at
        while not self._ending.wait(QUIET_SECONDS):
            if settled_at < self._taken_at < time.monotonic() - QUIET_SECONDS:
                settled_at = time.monotonic()
                with suppress(MailvaneError):  # at the end it is said
                    self._settle()

    def _settle(self) -> None:
        settle(self._settings, self._stores(), time.time_ns() // 1_000_000)

    @contextmanager
    def plain_path(self) -> Iterator[PlainPath]:
        with PlainPath(lambda: self._stores().scratch(), load_reasons(), cutting=_CUTTING) as plain:
            yield plain

    def make_room(self) -> None:
        """One block at a time is stored, and the next waits for it."""

    def take(self, entry: JournalEntry, now: int) -> None:
        stores = self._stores()
        if not self._blocks and not self._merges_at_once:
            self._unmerged.enter_context(stores.merging_later())
        recorder = stores.recorder
        if entry.repeatable:
            recorder.store(entry, now)
        else:
            recorder.record(entry, now)
        self._blocks += 1
        if self._blocks == MOST_UNMERGED:
            self._unmerged.close()
        self._taken_at = time.monotonic()

    def finish(self) -> None:
        self._settle()


class ThroughJournal:
    """By somebody else, who carries what the journal holds."""

    def __init__(self, ledger: Ledger, shipper: ShipperProcess) -> None:
        self._journal = ledger.journal
        self._shipper = shipper

    @contextmanager
    def plain_path(self) -> Iterator[PlainPath]:
        with PlainPath(scratch_in_memory, load_reasons()) as plain:
            yield plain

    def expect_pauses(self) -> None:
        """Who has the mail log open does so anyway."""

    def make_room(self) -> None:
        self._wait(MOST_PENDING)

    def take(self, entry: JournalEntry, now: int) -> None:
        self._journal.commit(entry, now)
        self._shipper.poke()

    def finish(self) -> None:
        self._wait(1)

    def _wait(self, batches: int) -> None:
        """Until fewer batches are on their way, so that a fast reader does not run away from the mail log."""
        least, moved = self._journal.backlog(), time.monotonic()
        while (left := self._journal.backlog()) >= batches:
            if left < least:
                least, moved = left, time.monotonic()
            if time.monotonic() - moved > _PATIENCE_SECONDS or not self._shipper.is_running():
                raise StoreUnavailable("the mail log takes nothing in; what was read is safe and waits in the journal")
            time.sleep(_POLL_SECONDS)
