"""What rules ask of the mail log: questions that name no moment, as each is asked at the moments of a grid of its own.

Values only. Who answers is `reputation.mail_answers`; a backtest asks of all moments at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from mailvane.core.errors import StoreUnavailable
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.maillog.figure_questions import Figure

STEP_MS = 5 * MINUTE_MS
# ours: for so long what happened may be on its way to the mail log.
LATE_MS = MINUTE_MS
WEEK_MS = 7 * DAY_MS
MOST_WEEKS = 8


class Within(StrEnum):
    """The window of a rate."""

    ONE_HOUR = "ONE_HOUR"
    SIX_HOURS = "SIX_HOURS"
    ONE_DAY = "ONE_DAY"
    ONE_WEEK = "ONE_WEEK"

    @property
    def milliseconds(self) -> int:
        return _WINDOWS[self][0]

    @property
    def step(self) -> int:
        """How often it is looked at: a dozen times in a window, so that trying it out over weeks stays cheap."""
        return _WINDOWS[self][1]


_WINDOWS = {
    Within.ONE_HOUR: (HOUR_MS, STEP_MS),
    Within.SIX_HOURS: (6 * HOUR_MS, 30 * MINUTE_MS),
    Within.ONE_DAY: (DAY_MS, 2 * HOUR_MS),
    Within.ONE_WEEK: (WEEK_MS, 12 * HOUR_MS),
}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of a window or waiting mail; the fields are those of `maillog.queries.FigureQuestion`."""

    what: Literal["bounces", "deferrals", "complaints", "waiting"]
    by: Literal["", "sender_domain", "recipient_domain"]
    domains: tuple[str, ...] = ()
    step: int = STEP_MS
    window: int = 0
    least: int = 1
    above: float = 0.0
    age: int = 0


class SameHours(msgspec.Struct, frozen=True):
    """How much there was in the last whole hour, and in the same hour of the weeks before it."""

    what: Literal["delivered", "deferred", "bounced", "rejected"]

    @property
    def step(self) -> int:
        return HOUR_MS


class PastHours(msgspec.Struct, frozen=True):
    """The answer: of weeks of which nothing is known there is no number, of hours without any a 0."""

    hour: int  # its beginning
    count: int
    before: tuple[int, ...]  # the same hour of the week before, of that before it, and so on


MailQuestion = Figures | SameHours
Answers = Mapping[int, Sequence[Figure | PastHours]]  # by moment; moments without any are left out
# The question, the first and the last moment of its grid. Raises StoreUnavailable.
Ask = Callable[[MailQuestion, int, int], Answers]


def nobody(_question: MailQuestion, _first: int, _last: int) -> Answers:
    raise StoreUnavailable("the mail log is not at hand here")


def moment_of(question: MailQuestion, now: int) -> int:
    """The newest moment of its grid that can be told of."""
    return (now - LATE_MS) // question.step * question.step
