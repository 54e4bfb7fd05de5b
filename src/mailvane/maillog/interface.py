"""What rooms ask of the mail log, and nothing of how it does it.

It has three implementations: the store itself, the store of a process that records into it, and one behind HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.inventory import TableParts
from mailvane.maillog.model import EventBatch, Holding, MailEvent, MailKey, Owner
from mailvane.maillog.named_mails import NamedMail, NamedQuestion
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    EngagementCounts,
    EngagementQuestion,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    QueueIdQuestion,
    ReceivedQuestion,
    RefusedPage,
    RefusedQuestion,
    ReplyPage,
    ReplyQuestion,
    SenderPage,
    SenderQuestion,
    Statistics,
    StatisticsQuestion,
    Tally,
    TallyQuestion,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.ranking import RankingQuestion, SenderRanking
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion


class EventStore(Protocol):
    """Where batches of mail events end."""

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        """Store a batch durably, whole or not at all; a token seen before changes nothing.

        Doubtful is one that was perhaps tried before, by a process that was killed or in an attempt that failed: then
        what is there counts, not what the token says. Raises StoreUnavailable.
        """


class EngagementLog(Protocol):
    """What the mail log knows of mailboxes: whose mails were sent, and what their recipients did."""

    def engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        """What became of mails, by sender, day or campaign; those that sent most first. Raises StoreUnavailable."""

    def ranking(self, question: RankingQuestion) -> SenderRanking:
        """All senders by what they sent. Raises StoreUnavailable."""

    def replies(self, question: ReplyQuestion) -> ReplyPage:
        """Replies by people, with what was said of each, and the total. Raises StoreUnavailable."""

    def received(self, question: ReceivedQuestion) -> dict[str, int]:
        """How many mails these addresses got; those that got none are left out. Raises StoreUnavailable."""


class MailLog(EventStore, EngagementLog, Protocol):
    """The append-only record of mail events and every view of it."""

    def search(self, question: LogQuestion) -> LogPage:
        """One page of deliveries and the exact total."""

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        """How many deliveries pass, and when the first of their mails was accepted: a page is not asked for."""

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        """Counts and ranked tables of a window."""

    def statistics_of(self, questions: Sequence[StatisticsQuestion]) -> list[Statistics]:
        """The same of several windows, all of one moment: a mail that one of them has, none lacks."""

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        """Counts hour by hour, oldest first; hours without events are left out."""

    def tally(self, question: TallyQuestion) -> list[Tally]:
        """How many deliveries have which value, the most first."""

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[list[Tally]]:
        """The same of several values of the deliveries of one question, which are read once for all of them."""

    def delays(self, question: DelayQuestion) -> list[Delays]:
        """How long deliveries took, by value, those of the most deliveries first."""

    def outcomes(self, question: OutcomeQuestion) -> Outcomes:
        """Where and why deliveries fail, and how long those took that were made."""

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        """How many deliveries of each state in each stretch of time, the oldest first."""

    def figures(self, question: FigureQuestion) -> list[Figure]:
        """Shares and waiting mail at moments, by domain or of all mail. Raises InvalidInput."""

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        """One page of what was refused, and the total."""

    def refused_tally(self, question: RefusedTallyQuestion) -> list[Tally]:
        """How many refusals have which value, the most first."""

    def refused_over_time(self, question: RefusedTimeQuestion) -> list[RefusedTime]:
        """How many refusals, permanent or transient, in each stretch of time, the oldest first."""

    def senders(self, question: SenderQuestion) -> SenderPage:
        """One page of those who wrote to domains, and the total."""

    def with_queue_id(self, question: QueueIdQuestion) -> list[MailKey]:
        """The mails that a queue id may mean, refused ones too, the newest first."""

    def mail_events(self, workspace: int, *mails: MailKey) -> list[MailEvent]:
        """Every event of these mails, one mail after the other, the oldest event first; of unknown mails there is none.

        One id of a mail may be that of a mail of each relay: whoever does not know the relay names all of them.
        """

    def retain(self, workspace: int, days: int) -> None:
        """Apply a new retention to what is stored already; 0 keeps for ever."""

    def rebuild(self) -> None:
        """Make every view anew from the events. Raises StoreDamaged when some of those are gone."""

    def backup(self, target: Path) -> None:
        """Write everything to a new directory. Raises InvalidInput, AlreadyExists."""

    def restore(self, source: Path) -> None:
        """Take everything from it, into an empty mail log. Raises InvalidInput, AlreadyExists, NotFound."""

    def accept_losses(self) -> None:
        """Take what is left for all that there is: what is gone is not missed any more, what is broken is set aside."""

    def verify(self) -> list[str]:
        """Read everything that is stored: what is broken or lacking, a line each. Raises StoreUnavailable."""

    def health(self, measured: bool = True) -> MailLogHealth:
        """What it is and, when measured, how large, which takes a while. Raises StoreUnavailable."""


class OpenMailLog(MailLog, Protocol):
    """The mail log as the process asks it that has it open."""

    def named(self, question: NamedQuestion) -> list[NamedMail]:
        """The mails with these Message-IDs, the oldest first, and perhaps some with others. Raises StoreUnavailable."""


class OwnedMail(Protocol):
    """What the mail log knows of the workspaces whose mail it holds. All raise StoreUnavailable."""

    def owners(self) -> list[Owner]:
        """Those whose mail is here, by id; more than one of an id when several ledgers wrote here."""

    def holders(self) -> list[int]:
        """Every workspace that an event names, by id: for a mail log without recorded owners."""

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


class Inventoried(Protocol):
    """A mail log that tells what it is made of."""

    def inventory(self) -> dict[str, dict[str, TableParts]]:
        """The parts of every table, by server and table. Raises StoreUnavailable."""

    def is_changing(self) -> bool:
        """Whether stored rows are being rewritten or deleted. Raises StoreUnavailable."""
