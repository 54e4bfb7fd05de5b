"""Records mail events: into the journal first, from there into the mail log.

`Recorder` makes events durable and moves them on; `Shipper` is the thread that keeps moving them. A batch may be
carried twice (by a restart, by two nodes): the mail log knows its token. It is forgotten only when it has been stored.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event, Lock, Thread
from time import monotonic

import msgspec

from mailvane.core.errors import MailvaneError, Transient
from mailvane.maillog.interface import EventStore
from mailvane.maillog.model import EventBatch, HeldBatch, JournalEntry, PendingBatch, rows_of
from mailvane.maillog.store.journal import JournalStore

log = logging.getLogger(__name__)

SHIP_AT_ONCE = 50_000  # events: what is in memory at a time on its way to the mail log
_HELD_EVENTS = 120_000
# How soon a batch is noticed that another process, an import, left in the journal.
_SWEEP_SECONDS = 0.5
# A batch that the mail log refused is tried again after this, then later and later.
_FIRST_RETRY_SECONDS = 5.0
_LONGEST_RETRY_SECONDS = 600.0
_ROUNDS_BEFORE_SWEEP = 100  # under steady load: what a node left behind that died must not wait for a quiet moment
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
# Each insert makes parts that are to be merged: what comes within so many times the length of one is stored together,
# while little is waiting. So the engine has a tenth of the time at most where events come a few at a time.
_BREATHS = 9
_LONGEST_BREATH_SECONDS = 1.0
_LITTLE = 64  # batches


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal holds that the mail log has not stored yet."""

    batches: int
    oldest_ms: int  # the age of the oldest
    refused: int  # of the batches: those that the mail log would not take, tried again later and later


class Recorder:
    """Safe to share between threads."""

    def __init__(
        self,
        journal: JournalStore,
        maillog: EventStore,
        held_events: int = _HELD_EVENTS,
        recorded: Callable[[EventBatch], None] = lambda _batch: None,
    ) -> None:
        """`recorded` is told of each batch once it is durable; only of what is new in it."""
        self.stored: Counter[int] = Counter()
        """How many batches of each workspace this process has put into the mail log; it only rises."""
        self._recorded = recorded
        self._journal = journal
        self._maillog = maillog
        self._held: dict[int, PendingBatch] = {}  # fresh from this process, so they need not be read back
        self._room = held_events
        self._lock = Lock()
        self._carrying = Lock()
        self._changed = Condition()
        self._refused: dict[int, float] = {}  # with the moment, on the monotonic clock, of the next try
        self._refusals: Counter[int] = Counter()
        self._taken: dict[int, PendingBatch] = {}  # claimed, but not yet stored and settled
        self._tried: set[int] = set()
        self._rounds = 0
        self._journal_has_more = True
        self._left_behind = True  # by an earlier process

    def record(self, entry: JournalEntry, now: int) -> PendingBatch | None:
        """Make it durable; it reaches the mail log soon. None when nothing new was in it. Raises StoreUnavailable."""
        pending = self._journal.commit(entry, now)
        if pending is not None:
            self._hold(pending)
            self._tell()
            self._recorded(pending.batch)
        return pending

    def store(self, entry: JournalEntry, now: int) -> None:
        """Put it into the mail log at once: the file that it came of is the journal, until the cursor has moved.

        Raises SourceMoved, StoreUnavailable; then, and when the process dies, the same bytes are to be cut again.
        """
        batch, again = entry.batch, self._journal.begin(entry)
        self._maillog.append(batch, again)
        self.stored[batch.workspace] += 1
        empty = EventBatch(batch.token, batch.workspace, batch.retention_days, [])
        self._journal.commit(msgspec.structs.replace(entry, batch=empty), now, batch.events)
        if isinstance(batch, HeldBatch):
            batch.held.release()

    def ship(self, limit: int = SHIP_AT_ONCE) -> int:
        """Move pending batches of up to so many events into the mail log, small ones together; how many then.

        Raises StoreUnavailable.
        """
        stored: list[int] = []
        with self._carrying:
            try:
                # What is to be carried now. What was claimed already keeps its token, so it is carried as it is.
                if not self._taken and (self._held or self._journal_has_more):
                    self._rounds += 1
                    self._claim(limit, self._left_behind or self._rounds % _ROUNDS_BEFORE_SWEEP == 0)
                for pending in list(self._taken.values()):
                    if self._store(pending):
                        stored.append(pending.sequence)  # noqa: PERF401 - those before a failure are settled too
            finally:
                self._settle(stored)
        return len(stored)

    def drain(self) -> None:
        """Ship until nothing is pending that can be shipped. Raises StoreUnavailable."""
        self.sweep()
        while self.ship() or self._journal_has_more:
            pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Carry nothing for the length of a block; recording goes on."""
        with self._carrying:
            yield

    def sweep(self) -> None:
        """Let the next `ship` look into the journal for batches that this process does not remember."""
        self._left_behind = self._journal_has_more = True
        self._tell()

    def notice(self) -> None:
        """A batch was put into the journal beside other rows of this process: let the next `carry` look for it."""
        self._journal_has_more = True
        self._tell()

    def reconsider(self, moment: float | None = None) -> None:
        """Let the next `ship` try the batches again that the mail log refused; with a moment, those that are due."""
        due = [sequence for sequence, at in self._refused.items() if moment is None or at <= moment]
        for sequence in due:
            del self._refused[sequence]
        if due:
            self.sweep()

    def backlog(self) -> int:
        return self._journal.backlog()

    def waiting(self, now: int) -> Waiting:
        """What is on its way from the journal to the mail log."""
        since = self._journal.pending_since()
        oldest_ms = 0 if since is None else max(0, now - since)
        return Waiting(batches=self._journal.backlog(), oldest_ms=oldest_ms, refused=self.refused())

    def refused(self) -> int:
        """How many pending batches the mail log would not take for a reason that waiting does not cure."""
        return len(self._refused)

    def wait_for_work(self, patience: float) -> bool:
        """Wait until something may be there to ship; False when nothing came within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._held or self._taken) or self._journal_has_more, patience)

    def _hold(self, pending: PendingBatch) -> None:
        with self._lock:
            if rows_of(pending.batch) > self._room:
                self._journal_has_more = True
                return
            self._room -= rows_of(pending.batch)
            self._held[pending.sequence] = pending

    def _claim(self, limit: int, left_behind: bool) -> None:
        with self._lock:
            held = dict(self._held)
        # Cleared before looking, so that a batch which comes in meanwhile is not overlooked.
        self._left_behind = self._journal_has_more = False
        try:
            found = self._journal.claim(limit, held, left_behind, frozenset(self._refused))
        except BaseException:
            self._left_behind = self._journal_has_more = True
            raise
        if found:
            self._journal_has_more = True
        fresh = max((max(pending.members) for pending in found if pending.members), default=0)
        if found and not fresh and left_behind:
            self._left_behind = True  # they come first, so there may be more of them
        # The others of these were claimed by another node, or at once after they were committed.
        sequences = [sequence for sequence in held if sequence <= fresh or not found]
        with self._lock:
            for sequence in sequences:
                pending = self._held.pop(sequence, None)
                if pending is not None:
                    self._room += rows_of(pending.batch)
        self._taken = {pending.sequence: pending for pending in found}

    def _store(self, pending: PendingBatch) -> bool:
        # Without members it was claimed earlier, by another process or node: nobody knows how far that one came.
        doubtful = not pending.members or pending.sequence in self._tried
        self._tried.add(pending.sequence)
        try:
            self._maillog.append(pending.batch, doubtful)
        except Transient:
            raise
        except Exception:
            # One batch that the mail log refuses must not hold up all others. It stays in the journal.
            log.exception("the mail log refuses batch %d (%s)", pending.sequence, pending.batch.token)
            pause = min(_FIRST_RETRY_SECONDS * 2 ** self._refusals[pending.sequence], _LONGEST_RETRY_SECONDS)
            self._refusals[pending.sequence] += 1
            self._refused[pending.sequence] = monotonic() + pause
            self._taken.pop(pending.sequence, None)
            return False
        self.stored[pending.batch.workspace] += 1
        return True

    def _settle(self, sequences: list[int]) -> None:
        if not sequences:
            return
        self._journal.settle(sequences)
        for sequence in sequences:
            self._taken.pop(sequence, None)
            self._tried.discard(sequence)
            self._refusals.pop(sequence, None)
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


class Shipper:
    """A thread that carries whenever something is pending, and waits longer and longer while the mail log is away."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="carrier", daemon=True)
        self.trouble: str | None = None  # what keeps it from carrying, for people

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        """Look now for batches that another process may have left in the journal."""
        self._recorder.sweep()

    def stop(self) -> None:
        """Finish the batches in progress and end; what is pending stays in the journal."""
        self._stopping.set()
        self._recorder.sweep()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                began = monotonic()
                self._recorder.reconsider(began)
                carried = self._recorder.ship()
                breath = min(_BREATHS * (monotonic() - began), _LONGEST_BREATH_SECONDS) if carried else 0.0
                little = breath > 0 and self._recorder.backlog() < _LITTLE
            except MailvaneError as error:
                pause = self._back_off(pause, error)
            except Exception as error:
                log.exception("carrying failed")
                pause = self._back_off(pause, error)
            else:
                self.trouble, pause = None, breath if little else 0.0
                if not carried and not self._recorder.wait_for_work(_SWEEP_SECONDS):
                    self._recorder.sweep()

    def _back_off(self, pause: float, error: Exception) -> float:
        self.trouble = str(error)
        longer = min(max(2 * pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        log.warning("mail events wait in the journal: %s; next try in about %.1f s", error, longer)
        # Several nodes that lost the same mail log should not all come back in the same instant.
        return longer * random.uniform(0.5, 1.0)  # noqa: S311
