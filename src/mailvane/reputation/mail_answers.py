"""Answers to what rules ask of the mail log. One statement for a question, however many alerts have it."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from threading import Lock

from mailvane.core.moments import HOUR_MS
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.interface import MailLog
from mailvane.maillog.queries import HourlyQuestion
from mailvane.reputation.alerts.mail_questions import (
    MOST_WEEKS,
    WEEK_MS,
    Answers,
    Figures,
    MailQuestion,
    PastHours,
    SameHours,
)

_MOST_KEPT = 1000  # answers about the newest moments


class MailAnswers:
    """Safe to share between threads."""

    def __init__(
        self, maillog: Callable[[], AbstractContextManager[MailLog]], relays: Callable[[int], Sequence[int]]
    ) -> None:
        """`relays`: the ids of all relays of a workspace."""
        self._maillog = maillog
        self._relays = relays
        self._kept: OrderedDict[tuple[int, MailQuestion, int], Answers] = OrderedDict()
        self._lock = Lock()

    def ask(self, workspace: int, question: MailQuestion, first: int, last: int) -> Answers:
        """At the moments from the first to the last; about one moment it is asked once. Raises StoreUnavailable."""
        if first < last:
            return self._asked(workspace, question, first, last)
        key = (workspace, question, first)
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        found = self._asked(workspace, question, first, last)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def _asked(self, workspace: int, question: MailQuestion, first: int, last: int) -> Answers:
        relays = tuple(self._relays(workspace))
        with self._maillog() as maillog:
            if isinstance(question, SameHours):
                return dict(_same_hours(maillog, (workspace, relays), question, first, last))
            return _figures(maillog, (workspace, relays), question, first, last)


_Whose = tuple[int, tuple[int, ...]]  # a workspace, and its relays


def _figures(maillog: MailLog, whose: _Whose, question: Figures, first: int, last: int) -> Answers:
    workspace, relays = whose
    asked = FigureQuestion(
        workspace=workspace, relays=relays, what=question.what, by=question.by, domains=question.domains, first=first,
        last=last, step=question.step, window=question.window, least=question.least, above=question.above,
        age=question.age,
    )  # fmt: skip
    found: dict[int, list[Figure]] = {}
    for one in maillog.figures(asked):
        found.setdefault(one.at, []).append(one)
    return found


def _same_hours(
    maillog: MailLog, whose: _Whose, question: SameHours, first: int, last: int
) -> Iterator[tuple[int, Sequence[PastHours]]]:
    workspace, relays = whose
    back = HOUR_MS + (MOST_WEEKS + 1) * WEEK_MS
    counts = maillog.hourly(
        HourlyQuestion(workspace=workspace, relays=relays, since=first - back, until=last - 1, accepted=False)
    )
    hours = [each.hour for each in counts]
    by_hour = {each.hour: int(getattr(each, question.what)) for each in counts}
    for moment in range(first, last + 1, HOUR_MS):
        hour = moment - HOUR_MS
        # Nothing is known from before the first hour of the stretch that has anything.
        place = bisect_left(hours, moment - back)
        begins = hours[place] if place < len(hours) else moment
        past = [hour - number * WEEK_MS for number in range(1, MOST_WEEKS + 1)]
        before = tuple(by_hour.get(each, 0) for each in past if each >= begins)
        yield moment, (PastHours(hour, by_hour.get(hour, 0), before),)
