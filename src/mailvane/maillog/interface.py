"""The narrow waist: what the layers above may ask of the two stores, and nothing of how they do it.

`MailLog` keeps mail events and answers questions about them. The ledger keeps everything small and mutable; it plays
two roles, `Tenants` (who may do what) and `Journal` (how far each source was read, what is on its way to the mail log).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from mailvane.core.tenants.model import Workspace
from mailvane.maillog.inventory import Record, TableParts
from mailvane.maillog.model import EventBatch, MailEvent, MailKey
from mailvane.maillog.queries import (
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    Statistics,
    StatisticsQuestion,
)


class EventStore(Protocol):
    """Where batches of mail events end."""

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        """Store a batch durably, whole or not at all; a token seen before changes nothing.

        Doubtful is one that was perhaps tried before, by a process that was killed or in an attempt that failed: then
        what is there counts, not what the token says. Raises StoreUnavailable.
        """


class MailLog(EventStore, Protocol):
    """The append-only record of mail events and every view of it."""

    def search(self, question: LogQuestion) -> LogPage:
        """One page of deliveries and the exact total."""

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        """Counts and ranked tables of a window."""

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        """Counts hour by hour, oldest first; hours without events are left out."""

    def life(self, workspace: int, mail: MailKey) -> list[MailEvent]:
        """Every event of one mail, oldest first; empty when the workspace has no such mail."""

    def retain(self, workspace: int, days: int) -> None:
        """Apply a new retention to what is stored already; 0 keeps for ever."""

    def upkeep(self, task: str, target: Path | None = None) -> None:
        """`rebuild` every view from the events, `backup` to, or `restore` from, a directory; `accept` what is lost."""

    def verify(self) -> list[str]:
        """Read everything that is stored: what is broken or lacking, a line each. Raises StoreUnavailable."""

    def health(self, measured: bool = True) -> MailLogHealth:
        """What it is and, when measured, how large, which takes a while. Raises StoreUnavailable."""


class Owner(msgspec.Struct, frozen=True):
    """Whose mail is in the mail log. A ledger that begins anew gives ids out again, but never at the same moment."""

    workspace: int
    created_at: int  # when the ledger made the workspace, in ms; 0: the mail log never heard
    name: str = ""  # at that time, for people


class Holding(msgspec.Struct, frozen=True):
    """What the mail log has of one workspace."""

    events: int
    relays: tuple[int, ...]
    retention_days: int  # 0: for ever


class OwnedMail(Protocol):
    """What the mail log knows of the workspaces whose mail it holds. All raise StoreUnavailable."""

    def owners(self) -> list[Owner]:
        """Those whose mail is here, by id; more than one of an id when several ledgers wrote here."""

    def holders(self) -> list[int]:
        """Every workspace that an event names, by id: for a mail log that was never told who its owners are."""

    def own(self, owner: Owner) -> None:
        """Note, durably, whose mail will be stored. Twice is once."""

    def adopt(self, owner: Owner) -> None:
        """Give all mail of this id to this owner, whoever had it before."""

    def drop(self, workspace: int) -> None:
        """Delete all mail of a workspace, in the events and in every view."""

    def holding(self, workspace: int) -> Holding:
        """How much there is of a workspace, by which relays."""

    def greatest_ids(self) -> tuple[int, int]:
        """The greatest id of a workspace and of a relay that an event names; 0 when there are none."""


class KeptRecord(msgspec.Struct, frozen=True):
    """The record of what the mail log was made of, and which revision of it this is; 0: none was ever kept."""

    revision: int
    changing_until: int  # until then somebody rewrites what is stored, and nobody else compares; 0: nobody
    record: Record


class RecordBook(Protocol):
    """Keeps what the mail log was made of when it was last looked at."""

    def maillog_record(self) -> KeptRecord:
        """The newest."""

    def keep_maillog_record(self, kept: KeptRecord) -> bool:
        """Replace the revision that this one was made of; False when another did so before."""


class Inventoried(Protocol):
    """A mail log that tells what it is made of."""

    def inventory(self) -> dict[str, dict[str, TableParts]]:
        """The parts of every table, by server and table. Raises StoreUnavailable."""

    def is_changing(self) -> bool:
        """Whether stored rows are being rewritten or deleted. Raises StoreUnavailable."""


class Adoption(Protocol):
    """The ledger's part in giving mail of another ledger to a workspace of this one."""

    def workspaces(self) -> list[Workspace]:
        """All of them, by id."""

    def adopt_workspace(self, workspace: Workspace, relays: Sequence[int], now: int) -> None:
        """Make what is missing of a workspace and its relays, under just these ids. Raises AlreadyExists."""

    def reserve_ids(self, workspace: int, relay: int) -> None:
        """Never give out an id up to these again."""

    def forget_batches(self, workspace: int) -> None:
        """Delete what the journal holds of a workspace, and the ids of its events."""


class SourceCursor(msgspec.Struct, frozen=True):
    """How far one file (or other input) of a stream was read; all before it is in the journal or the mail log."""

    stream: str  # which source, such as "postfix:3"
    file: str  # fingerprint of the file, stable across renaming and compressing
    name: str  # where it was last seen, for people
    offset: int  # bytes of the uncompressed text that were taken in
    line: int  # number of the last line that was taken in
    tail: bytes  # digest of the last bytes before the offset, to tell a rewritten file from a grown one
    reference: int  # the time that year-less stamps of this file are read against


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a source hands over, in one transaction."""

    batch: EventBatch
    cursor: SourceCursor | None = None
    follows: int = 0  # the offset that the cursor must still have for this entry to count
    opened: tuple[tuple[str, bytes], ...] = ()  # new or changed state of mails in flight, by key
    closed: tuple[str, ...] = ()  # keys of mails no longer in flight
    event_ids: tuple[str, ...] | None = None  # one per event: those seen before in this workspace are dropped


class PendingBatch(msgspec.Struct, frozen=True):
    """A batch that is safe in the journal and on its way to the mail log."""

    sequence: int
    batch: EventBatch
    members: tuple[int, ...] = ()  # when it was claimed just now: the sequences under which it was committed


class Journal(Protocol):
    """Exactly once: a source's progress and the events it yielded are committed together, then carried to the mail log.

    A batch stays pending until it is settled; carrying it twice is harmless, because the mail log knows its token.
    It must be claimed before it is carried: until then it may be joined with others under a new token, never after.
    """

    def cursors(self, stream: str) -> list[SourceCursor]:
        """Every file of a stream that was ever read."""

    def in_flight(self, stream: str) -> Iterable[tuple[str, bytes]]:
        """The state of the stream's mails in flight, as last committed."""

    def commit(self, entry: JournalEntry, now: int) -> PendingBatch | None:
        """Make it durable, in one transaction. None when no event was left to carry.

        Raises SourceMoved when the cursor is not where the entry begins: somebody else has read those lines.
        """

    def pending(self, limit: int) -> Sequence[PendingBatch]:
        """The oldest batches that are not settled, claimed or not."""

    def claim(
        self,
        limit: int,
        held: Mapping[int, PendingBatch],
        left_behind: bool = True,
        without: Collection[int] = (),
    ) -> Sequence[PendingBatch]:
        """Make the oldest batches ready to be carried, durably; up to so many events, but one batch at least.

        Small ones of one workspace become one. `left_behind`: those that were claimed before come first, exactly as
        they are, except the sequences `without`; somebody else may be carrying them, too. What is `held` is not read.
        """

    def settle(self, sequences: Sequence[int]) -> None:
        """Forget batches that the mail log has stored."""

    def backlog(self) -> int:
        """How many batches are pending."""

    def pending_since(self) -> int | None:
        """When the oldest pending batch was committed; None when none is pending."""
