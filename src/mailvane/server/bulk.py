"""What reading logs in bulk is put together of: where a reading goes on, and the way that its blocks take."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from mailvane.maillog.model import JournalEntry
from mailvane.maillog.postfix.plain.path import PlainPath
from mailvane.maillog.postfix.reading import LogReading, Origin
from mailvane.maillog.store.journal import JournalStore


class WayIn(Protocol):
    """How what was read gets into the mail log: through the journal, or at once. Raises StoreUnavailable."""

    def plain_path(self) -> AbstractContextManager[PlainPath | None]:
        """What tells plain mails, for one reading; None where every line goes through the state machine."""

    def expect_pauses(self) -> None:
        """What is read comes as it is written: in quiet moments, what was taken is to be joined to what it answers."""

    def make_room(self) -> None:
        """Wait until one more block may be on its way."""

    def take(self, entry: JournalEntry, now: int) -> None:
        """Make it durable. Raises SourceMoved."""

    def finish(self) -> None:
        """Wait until all that was taken can be queried."""


def reading_of(journal: JournalStore, origin: Origin) -> LogReading:
    """A reading of a relay's logs that goes on where the journal says."""
    stream = origin.stream
    return LogReading(origin, journal.cursors(stream), journal.in_flight(stream), journal.blocks(stream))
