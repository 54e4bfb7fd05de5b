"""What rules compare with: numbers with an operator, and stretches of time. Values and pure arithmetic."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.moments import DAY_MS


class Operator(StrEnum):
    EQ = "eq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


_HOLDS: Mapping[Operator, Callable[[float | Fraction, float], bool]] = {
    Operator.EQ: operator.eq,
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """An observed number is compared with a value."""

    value: float
    operator: Operator

    def holds(self, observed: float | Fraction) -> bool:
        return _HOLDS[self.operator](observed, self.value)

    def within(self, ascending: Sequence[float]) -> slice:
        """Which of these numbers, in ascending order, it holds for: they always lie together."""
        low, high = bisect_left(ascending, self.value), bisect_right(ascending, self.value)
        return {
            Operator.EQ: slice(low, high),
            Operator.GT: slice(high, None),
            Operator.GTE: slice(low, None),
            Operator.LT: slice(0, low),
            Operator.LTE: slice(0, high),
        }[self.operator]


class Ratio(Comparison, frozen=True, kw_only=True):
    """0 to 1."""

    value: Annotated[float, Meta(ge=0, le=1)]


class Percentage(Comparison, frozen=True, kw_only=True):
    """0 to 100."""

    value: Annotated[float, Meta(ge=0, le=100)]


class Amount(Comparison, frozen=True, kw_only=True):
    """Not below zero."""

    value: Annotated[float, Meta(ge=0)]


class Stretch(StrEnum):
    """Of time; every one a fixed number of days."""

    ONE_DAY = "ONE_DAY"
    ONE_WEEK = "ONE_WEEK"
    ONE_MONTH = "ONE_MONTH"
    ONE_YEAR = "ONE_YEAR"

    @property
    def milliseconds(self) -> int:
        return _DAYS[self] * DAY_MS


_DAYS = {Stretch.ONE_DAY: 1, Stretch.ONE_WEEK: 7, Stretch.ONE_MONTH: 30, Stretch.ONE_YEAR: 365}


class TimeRange(StrEnum):
    """The stretches over which is counted."""

    ONE_DAY = "ONE_DAY"
    ONE_WEEK = "ONE_WEEK"
    ONE_MONTH = "ONE_MONTH"

    @property
    def milliseconds(self) -> int:
        return Stretch(self.value).milliseconds


class AmountInTime(Amount, frozen=True, kw_only=True):
    """A number that is counted over a stretch of time."""

    time_range: TimeRange


class AgeOperator(StrEnum):
    GT = "gt"
    LT = "lt"


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """How long ago something was: more or less than a stretch of time."""

    value: Stretch
    operator: AgeOperator

    def holds(self, moment: int, now: int) -> bool:
        """A moment that is not known (0) has no age."""
        if moment <= 0:
            return False
        ago = now - moment
        return ago < self.value.milliseconds if self.operator is AgeOperator.LT else ago > self.value.milliseconds
