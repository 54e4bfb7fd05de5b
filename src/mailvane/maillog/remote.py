"""The mail log behind a running server: `MailLog` over HTTP, for the command line, with the names of whose mail it is.

It asks and maintains; it does not store events (those go through the server's intake or its sources).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import (
    AlreadyExists,
    InvalidInput,
    MailvaneError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StoreUnavailable,
)
from mailvane.core.json_exchange import Answer, Exchange, Server
from mailvane.core.tenants.model import Relay, Workspace
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.model import EventBatch, MailEvent, MailKey
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes, asked_apart
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
    StatisticsQuestions,
    Tally,
    TallyQuestion,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.ranking import RankingQuestion, SenderRanking, ranked_apart
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion

_PATH = "/mailvane/v1/maillog/"
_ANSWER_SECONDS = 90.0
_ERRORS: Mapping[int, type[MailvaneError]] = {
    400: InvalidInput,
    403: NotAllowed,
    404: NotFound,
    409: AlreadyExists,
    413: InvalidInput,
    503: StoreUnavailable,
}

T = TypeVar("T")


class _Problem(msgspec.Struct):
    detail: str = ""


class RemoteMailLog:
    """Errors come back as the exceptions that the server raised."""

    def __init__(self, base_url: str, token: str, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or Server(base_url)
        self._headers = {"X-API-KEY": token}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held between questions."""

    def workspaces(self) -> list[Workspace]:
        """All that the server knows, by id."""
        return self._ask("workspaces", {}, list[Workspace])

    def workspace(self, name: str) -> Workspace:
        """The workspace of that name. Raises NotFound."""
        found: list[Workspace] = self._ask("workspaces", {"name": name}, list[Workspace])
        return found[0]

    def relays(self, workspace: int) -> list[Relay]:
        """All of a workspace, those that no longer send too."""
        return self._ask("relays", {"workspace": workspace}, list[Relay])

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:  # noqa: ARG002
        """Not possible from here: a batch is stored by the process that owns its journal. Raises NotAllowed."""
        raise NotAllowed(f"batch {batch.token} is for the server to store: send mail events to its intake")

    def search(self, question: LogQuestion) -> LogPage:
        return self._ask("search", question, LogPage)

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        page = self.search(msgspec.structs.replace(question, skip=0, limit=1, ascending=True))
        return page.total, page.deliveries[0].accepted_at if page.deliveries else None

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        return self._ask("statistics", question, Statistics)

    def statistics_of(self, questions: Sequence[StatisticsQuestion]) -> list[Statistics]:
        return self._ask("statistics_of", StatisticsQuestions(tuple(questions)), list[Statistics])

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        return self._ask("hourly", question, list[HourlyCounts])

    def tally(self, question: TallyQuestion) -> list[Tally]:
        return self._ask("tally", question, list[Tally])

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[list[Tally]]:
        return [self.tally(each) for each in questions]

    def delays(self, question: DelayQuestion) -> list[Delays]:
        return self._ask("delays", question, list[Delays])

    def outcomes(self, question: OutcomeQuestion) -> Outcomes:
        return asked_apart(question, self.tally, self.delays)

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        return self._ask("over_time", question, list[TimeTally])

    def engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        return self._ask("engagement", question, list[EngagementCounts])

    def ranking(self, question: RankingQuestion) -> SenderRanking:
        return ranked_apart(question, self.engagement)

    def replies(self, question: ReplyQuestion) -> ReplyPage:
        return self._ask("replies", question, ReplyPage)

    def received(self, question: ReceivedQuestion) -> dict[str, int]:
        return self._ask("received", question, dict[str, int])

    def figures(self, question: FigureQuestion) -> list[Figure]:
        return self._ask("figures", question, list[Figure])

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        return self._ask("refused", question, RefusedPage)

    def refused_tally(self, question: RefusedTallyQuestion) -> list[Tally]:
        return self._ask("refused_tally", question, list[Tally])

    def refused_over_time(self, question: RefusedTimeQuestion) -> list[RefusedTime]:
        return self._ask("refused_over_time", question, list[RefusedTime])

    def senders(self, question: SenderQuestion) -> SenderPage:
        return self._ask("senders", question, SenderPage)

    def with_queue_id(self, question: QueueIdQuestion) -> list[MailKey]:
        return self._ask("queue-id", question, list[MailKey])

    def mail_events(self, workspace: int, *mails: MailKey) -> list[MailEvent]:
        found: list[MailEvent] = []
        for mail in mails:
            found += self._ask("life", {"workspace": workspace, "mail": mail}, list[MailEvent])
        return found

    def health(self, measured: bool = True) -> MailLogHealth:  # noqa: ARG002 - the server measures in any case
        return self._ask("health", {}, MailLogHealth)

    def verify(self) -> list[str]:
        return self._ask("verify", {}, list[str], patient=True)

    def retain(self, workspace: int, days: int) -> None:
        self._ask("retain", {"workspace": workspace, "days": days}, None, patient=True)

    def rebuild(self) -> None:
        self._keep_up("rebuild")

    def backup(self, target: Path) -> None:
        self._keep_up("backup", target)

    def restore(self, source: Path) -> None:
        self._keep_up("restore", source)

    def accept_losses(self) -> None:
        self._keep_up("accept")

    def _keep_up(self, task: str, directory: Path | None = None) -> None:
        where = None if directory is None else str(directory.resolve())
        self._ask("upkeep", {"task": task, "target": where}, None, patient=True)

    def _ask(self, name: str, question: Any, kind: type[T] | Any, patient: bool = False) -> T:
        """Raises what the server raised, or ServerUnreachable."""
        seconds = None if patient else _ANSWER_SECONDS
        answer = self._exchange(_PATH + name, msgspec.json.encode(question), self._headers, seconds)
        if answer.status != HTTPStatus.OK:
            raise _error(answer)
        try:
            found: T = msgspec.json.decode(answer.content, type=prepared(kind))
        except msgspec.MsgspecError as error:
            raise MailvaneError(f"the server speaks another version: {error}") from None
        return found


def _error(answer: Answer) -> MailvaneError:
    if answer.status == 401:  # it is asked with the master token, always
        return NotAuthenticated("the running server knows another master token than these settings name")
    try:
        detail = msgspec.json.decode(answer.content, type=prepared(_Problem)).detail
    except msgspec.MsgspecError:
        detail = ""
    kind = _ERRORS.get(answer.status, MailvaneError)
    return kind(detail or f"the server answered {answer.status}")
