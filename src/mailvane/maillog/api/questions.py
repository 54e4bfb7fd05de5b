"""The mail log for Mailvane's own programs: the questions of the domain as JSON, and their answers.

This is how the command line asks when a running server holds the mail log. A key of one workspace asks about that
workspace only; what changes or moves the whole store is the master's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from mailvane.core.errors import InvalidInput, NotAllowed, NotFound
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import MailKey
from mailvane.maillog.queries import HourlyQuestion, LogQuestion, StatisticsQuestion

MAX_LIMIT = 10_000
_MAX_SKIP = 2**31 - 1
_FAR = 2**53
_LONGEST_DAYS = 36_500
T = TypeVar("T")


class LifeQuestion(msgspec.Struct, frozen=True):
    """Which mail's events."""

    workspace: int
    mail: MailKey


class Retention(msgspec.Struct, frozen=True):
    """A new retention for what is stored."""

    workspace: int
    days: int


class Upkeep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do with the whole store; the target is a directory of the server's machine."""

    task: Literal["rebuild", "backup", "restore", "accept"]
    target: str | None = None


def search(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    question = _asked(LogQuestion, body)
    _checked(principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    if not 0 <= question.limit <= MAX_LIMIT or not 0 <= question.skip <= _MAX_SKIP:
        raise InvalidInput(f"`limit` is at most {MAX_LIMIT}, `skip` at most {_MAX_SKIP}, and neither is negative")
    return maillog.search(question)


def statistics(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    question = _asked(StatisticsQuestion, body)
    _checked(principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    if not 0 <= question.top <= MAX_LIMIT:
        raise InvalidInput(f"`top` is from 0 to {MAX_LIMIT}")
    return maillog.statistics(question)


def hourly(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    question = _asked(HourlyQuestion, body)
    _checked(principal, question.workspace, question.relays)
    _check_times(question.since, question.until)
    return maillog.hourly(question)


def life(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    question = _asked(LifeQuestion, body)
    _checked(principal, question.workspace, (question.mail.relay, question.mail.number))
    _check_times(question.mail.accepted_at)
    return maillog.life(question.workspace, question.mail)


def health(maillog: MailLog, principal: Principal, _body: bytes) -> Any:
    _check_master(principal)
    return maillog.health()


def verify(maillog: MailLog, principal: Principal, _body: bytes) -> Any:
    _check_master(principal)
    return maillog.verify()


def retain(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    _check_master(principal)
    retention = _asked(Retention, body)
    _checked(principal, retention.workspace, ())
    if not 0 <= retention.days <= _LONGEST_DAYS:
        raise InvalidInput(f"`days` is from 0 to {_LONGEST_DAYS}")
    return maillog.retain(retention.workspace, retention.days)


def upkeep(maillog: MailLog, principal: Principal, body: bytes) -> Any:
    _check_master(principal)
    wanted = _asked(Upkeep, body)
    return maillog.upkeep(wanted.task, None if wanted.target is None else Path(wanted.target))


Question = Callable[[MailLog, Principal, bytes], Any]


def encoded(question: Question, maillog: MailLog, principal: Principal, body: bytes) -> bytes:
    """The question asked, and its answer in bytes."""
    return msgspec.json.encode(question(maillog, principal, body))


def _checked(principal: Principal, workspace: int, relays: Iterable[int]) -> None:
    _check_workspace(principal, workspace)
    if not all(0 <= number < 2**32 for number in (workspace, *relays)):
        raise InvalidInput("there is no workspace or relay of that number")


def _check_times(*times: int | None) -> None:
    if not all(time is None or abs(time) < _FAR for time in times):
        raise InvalidInput("a time is a number of milliseconds")


def _asked(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)) from None


def _check_workspace(principal: Principal, workspace: int) -> None:
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not read the mail log")
    if principal.workspace is not None and principal.workspace != workspace:
        raise NotFound(f"there is no workspace {workspace}")


def _check_master(principal: Principal) -> None:
    if principal.kind is not KeyKind.MASTER:
        raise NotAllowed("only the master token may do this")
