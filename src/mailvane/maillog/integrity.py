"""Is the mail log whole? What it is made of is compared with what it was made of when it was last looked at.

A lost file leaves no trace in the engine, which then answers with what is left. So the ledger keeps a record of the
parts. It says what was there at least, never that something should be there that was not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread

import msgspec

from mailvane.core.errors import MailvaneError, StoreDamaged
from mailvane.core.moments import HOUR_MS
from mailvane.maillog.interface import Inventoried
from mailvane.maillog.inventory import KeptRecord, Loss, Record, describe_losses, losses
from mailvane.maillog.store.maillog_record import MailLogRecordStore

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
# A rebuild that takes longer is rare; one that was killed keeps others from comparing for so long.
_CHANGING_MS = 6 * HOUR_MS
_TRIES = 5


def made_anew(records: MailLogRecordStore, tables: Collection[str]) -> None:
    """Before these are filled anew from the events: what they were made of until now is not missed."""
    for _ in range(_TRIES):
        kept = records.maillog_record()
        inventory = {
            server: {name: parts for name, parts in known.items() if name not in tables}
            for server, known in kept.record.inventory.items()
        }
        lost = tuple(loss for loss in kept.record.losses if loss.table not in tables)
        record = Record(inventory, lost)
        if record == kept.record or records.keep_maillog_record(KeptRecord(kept.revision, kept.changing_until, record)):
            return


class Integrity:
    """Safe to share between threads. One that is alone may say so: then nobody else can be changing what is stored."""

    def __init__(
        self, records: MailLogRecordStore, maillog: Inventoried, clock: Callable[[], int], alone: bool
    ) -> None:
        self._records = records
        self._maillog = maillog
        self._clock = clock
        self._alone = alone
        self._lock = RLock()
        self._losses: tuple[Loss, ...] = ()

    @property
    def damage(self) -> str:
        """A message: what is gone and what to do about it; empty when nothing is."""
        found = self._losses
        return describe_losses(found) if found else ""

    def ensure(self, table: str) -> None:
        """Raises StoreDamaged when something of this table is gone: what was made of it is not to be made anew."""
        self.look()
        if any(loss.table == table for loss in self._losses):
            raise StoreDamaged(self.damage)

    def look(self) -> None:
        """Compare, and keep what is there. Raises StoreUnavailable."""
        with self._lock:
            for _ in range(_TRIES):
                kept = self._records.maillog_record()
                now = self._clock()
                if now < kept.changing_until and not self._alone:
                    return
                present = self._maillog.inventory()
                self._tell(losses(kept.record, present, now))
                record = Record({server: dict(tables) for server, tables in present.items()}, self._losses)
                if record == kept.record and not kept.changing_until:
                    return
                # When rows expire that are being rewritten is not known yet.
                if self._maillog.is_changing() or self._records.keep_maillog_record(
                    KeptRecord(kept.revision, 0, record)
                ):
                    return

    @contextmanager
    def changing(self, repaired: Collection[str] | None = ()) -> Iterator[None]:
        """Rewrite or delete what is stored, for the length of a block; nothing is compared meanwhile.

        What was lost of the tables `mended` is not missed any more; None: of all tables.
        """
        with self._lock:
            self.look()
            self._keep(Record({}, self._losses), self._clock() + _CHANGING_MS)
            done = False
            try:
                yield
                done = True
            finally:
                if done:
                    left = () if repaired is None else tuple(one for one in self._losses if one.table not in repaired)
                    self._tell(left)
                self._keep(Record({}, self._losses), 0)
                self.look()

    def _keep(self, record: Record, until: int) -> None:
        for _ in range(_TRIES):
            revision = self._records.maillog_record().revision
            if self._records.keep_maillog_record(KeptRecord(revision, until, record)):
                return

    def _tell(self, found: tuple[Loss, ...]) -> None:
        if found and found != self._losses:
            log.error("%s", describe_losses(found))
        if self._losses and not found:
            log.info("the mail log lacks nothing any more")
        self._losses = found

    @contextmanager
    def watched(self, every: float = EVERY_SECONDS) -> Iterator[None]:
        """Look now and then, for the length of a block, and once more at its end."""
        stopping = Event()

        def run() -> None:
            while not stopping.wait(every):
                self._look_quietly()

        thread = Thread(target=run, name="integrity", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
            self._look_quietly()

    def _look_quietly(self) -> None:
        try:
            self.look()
        except MailvaneError as error:
            log.warning("what the mail log is made of is not known: %s", error)
        except msgspec.MsgspecError:
            log.exception("the record of the mail log cannot be read")
