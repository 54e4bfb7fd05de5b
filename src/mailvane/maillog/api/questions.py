"""The mail log for Mailvane's own programs: the questions of the domain as JSON, and their answers.

This is how the command line asks when a running server holds the mail log. A key of one workspace asks about that
workspace only; what changes or moves the whole store is the master's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar
from uuid import UUID

import msgspec

from mailvane.core.errors import InvalidInput, NotAllowed, NotFound
from mailvane.core.moments import MINUTE_MS
from mailvane.core.tenants.model import KeyKind, Principal, Relay, Workspace
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.model import MailEvent, MailKey
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
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

MAX_LIMIT = 10_000
MAX_QUESTIONS = 100
_MAX_SKIP = 2**31 - 1
_FAR = 2**53
_LONGEST_DAYS = 36_500
_MOST_PATTERNS = 500
T = TypeVar("T")


class LifeQuestion(msgspec.Struct, frozen=True):
    """Which mail's events."""

    workspace: int
    mail: MailKey


class WorkspaceQuestion(msgspec.Struct, frozen=True):
    """Which workspaces: the one of the name, or all."""

    name: str | None = None


class RelayQuestion(msgspec.Struct, frozen=True):
    """The relays of which workspace."""

    workspace: int


class Retention(msgspec.Struct, frozen=True):
    """A new retention for what is stored."""

    workspace: int
    days: int


class Upkeep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do with the whole store; the target is a directory of the server's machine."""

    task: Literal["rebuild", "backup", "restore", "accept"]
    target: str | None = None


def workspaces(services: MailLogServices, asked: Asked) -> Sequence[Workspace]:
    _check_master(asked.principal)
    name = _read(WorkspaceQuestion, asked).name
    return services.tenancy.workspaces() if name is None else [services.tenancy.workspace(name)]


def relays(services: MailLogServices, asked: Asked) -> Sequence[Relay]:
    _check_master(asked.principal)
    workspace = _read(RelayQuestion, asked).workspace
    _checked(asked.principal, workspace, ())
    return services.tenancy.relays(workspace)


def search(services: MailLogServices, asked: Asked) -> LogPage:
    question = _read(LogQuestion, asked)
    _check_question(asked.principal, question)
    _check_page(question.skip, question.limit)
    return services.maillog.search(question)


def tally(services: MailLogServices, asked: Asked) -> Sequence[Tally]:
    question = _read(TallyQuestion, asked)
    _check_question(asked.principal, question.log)
    _check_top(question.top)
    return services.maillog.tally(question)


def delays(services: MailLogServices, asked: Asked) -> Sequence[Delays]:
    question = _read(DelayQuestion, asked)
    _check_question(asked.principal, question.log)
    _check_top(question.top)
    return services.maillog.delays(question)


def over_time(services: MailLogServices, asked: Asked) -> Sequence[TimeTally]:
    question = _read(TimeTallyQuestion, asked)
    _check_question(asked.principal, question.log)
    _check_step(question.step)
    return services.maillog.over_time(question)


def figures(services: MailLogServices, asked: Asked) -> Sequence[Figure]:
    question = _read(FigureQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_times(question.first, question.last)
    return services.maillog.figures(question)


def refused(services: MailLogServices, asked: Asked) -> RefusedPage:
    question = _read(RefusedQuestion, asked)
    _check_question(asked.principal, question)
    _check_page(question.skip, question.limit)
    return services.maillog.refused(question)


def refused_tally(services: MailLogServices, asked: Asked) -> Sequence[Tally]:
    question = _read(RefusedTallyQuestion, asked)
    _check_question(asked.principal, question.refused)
    _check_top(question.top)
    return services.maillog.refused_tally(question)


def refused_over_time(services: MailLogServices, asked: Asked) -> Sequence[RefusedTime]:
    question = _read(RefusedTimeQuestion, asked)
    _check_question(asked.principal, question.refused)
    _check_step(question.step)
    return services.maillog.refused_over_time(question)


def replies(services: MailLogServices, asked: Asked) -> ReplyPage:
    question = _read(ReplyQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_times(question.since, None)
    _check_page(question.skip, question.limit)
    return services.maillog.replies(question)


def senders(services: MailLogServices, asked: Asked) -> SenderPage:
    question = _read(SenderQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_page(question.skip, question.limit)
    try:
        [UUID(each) for each in question.uuid or ()]
    except ValueError:
        raise InvalidInput("`uuid` is a namespace and a UUID") from None
    return services.maillog.senders(question)


def with_queue_id(services: MailLogServices, asked: Asked) -> Sequence[MailKey]:
    question = _read(QueueIdQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_page(0, question.limit)
    return services.maillog.with_queue_id(question)


def statistics(services: MailLogServices, asked: Asked) -> Statistics:
    question = _read(StatisticsQuestion, asked)
    _check_statistics(asked, question)
    return services.maillog.statistics(question)


def statistics_of(services: MailLogServices, asked: Asked) -> Sequence[Statistics]:
    questions = _read(StatisticsQuestions, asked).questions
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        raise InvalidInput(f"`questions` are from 1 to {MAX_QUESTIONS}")
    for question in questions:
        _check_statistics(asked, question)
    return services.maillog.statistics_of(questions)


def _check_statistics(asked: Asked, question: StatisticsQuestion) -> None:
    _checked(asked.principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    _check_top(question.top)


def hourly(services: MailLogServices, asked: Asked) -> Sequence[HourlyCounts]:
    question = _read(HourlyQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    return services.maillog.hourly(question)


def engagement(services: MailLogServices, asked: Asked) -> Sequence[EngagementCounts]:
    question = _read(EngagementQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    _check_times(question.since, question.until, question.recent)
    if not 0 <= question.most <= _MAX_SKIP:
        raise InvalidInput(f"`most` is from 0 to {_MAX_SKIP}")
    return services.maillog.engagement(question)


def received(services: MailLogServices, asked: Asked) -> Mapping[str, int]:
    question = _read(ReceivedQuestion, asked)
    _checked(asked.principal, question.workspace, question.relays)
    return services.maillog.received(question)


def life(services: MailLogServices, asked: Asked) -> Sequence[MailEvent]:
    question = _read(LifeQuestion, asked)
    _checked(asked.principal, question.workspace, (question.mail.relay, question.mail.number))
    _check_times(question.mail.accepted_at)
    return services.maillog.mail_events(question.workspace, question.mail)


def health(services: MailLogServices, asked: Asked) -> MailLogHealth:
    _check_master(asked.principal)
    return services.maillog.health()


def verify(services: MailLogServices, asked: Asked) -> Sequence[str]:
    _check_master(asked.principal)
    return services.maillog.verify()


def retain(services: MailLogServices, asked: Asked) -> None:
    _check_master(asked.principal)
    retention = _read(Retention, asked)
    _checked(asked.principal, retention.workspace, ())
    if not 0 <= retention.days <= _LONGEST_DAYS:
        raise InvalidInput(f"`days` is from 0 to {_LONGEST_DAYS}")
    services.maillog.retain(retention.workspace, retention.days)


def upkeep(services: MailLogServices, asked: Asked) -> None:
    _check_master(asked.principal)
    wanted = _read(Upkeep, asked)
    if wanted.task == "rebuild":
        services.maillog.rebuild()
    elif wanted.task == "accept":
        services.maillog.accept_losses()
    elif wanted.target is None:
        raise InvalidInput("name a directory, from the root")
    elif wanted.task == "backup":
        services.maillog.backup(Path(wanted.target))
    else:
        services.maillog.restore(Path(wanted.target))


def _read(kind: type[T], asked: Asked) -> T:
    return read_json(kind, asked.body, empty=b"")


def _check_question(principal: Principal, question: LogQuestion | RefusedQuestion) -> None:
    _checked(principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    if sum(len(term.patterns) for term in question.terms) > _MOST_PATTERNS:
        raise InvalidInput(f"`terms` hold at most {_MOST_PATTERNS} patterns")


def _checked(principal: Principal, workspace: int, relays: Iterable[int]) -> None:
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not read the mail log")
    if principal.workspace is not None and principal.workspace != workspace:
        raise NotFound(f"there is no workspace {workspace}")
    if not all(0 <= number < 2**32 for number in (workspace, *relays)):
        raise InvalidInput("there is no workspace or relay of that number")


def _check_page(skip: int, limit: int) -> None:
    if not 0 <= limit <= MAX_LIMIT or not 0 <= skip <= _MAX_SKIP:
        raise InvalidInput(f"`limit` is at most {MAX_LIMIT}, `skip` at most {_MAX_SKIP}, and neither is negative")


def _check_top(top: int) -> None:
    if not 0 <= top <= MAX_LIMIT:
        raise InvalidInput(f"`top` is from 0 to {MAX_LIMIT}")


def _check_step(step: int) -> None:
    if not MINUTE_MS <= step < _FAR:
        raise InvalidInput(f"`step` is at least {MINUTE_MS}")


def _check_times(*times: int | None) -> None:
    if not all(time is None or abs(time) < _FAR for time in times):
        raise InvalidInput("a time is a number of milliseconds")


def _check_master(principal: Principal) -> None:
    if principal.kind is not KeyKind.MASTER:
        raise NotAllowed("only the master token may do this")
