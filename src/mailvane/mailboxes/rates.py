"""What figures say and how sure they are: shares with their Wilson interval. Pure.

Wilson, E. B., "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209 to 212.
"""

from __future__ import annotations

from math import sqrt

import msgspec

_Z = 1.959963984540054  # of 95 %: the quantile 0.975 of the normal distribution


class Interval(msgspec.Struct, frozen=True):
    """Where the true share lies with 95 % confidence; fractions of one."""

    low: float
    high: float


class Rate(msgspec.Struct, frozen=True):
    """A share: `numerator` of `denominator`. Unknown is null, which is not zero."""

    numerator: int | None
    denominator: int
    rate: float | None  # a fraction of one; null also where the denominator is 0
    interval: Interval | None


def rate(numerator: int | None, denominator: int) -> Rate:
    """None: nobody counted."""
    if numerator is None or not denominator:
        return Rate(numerator, denominator, None, None)
    return Rate(numerator, denominator, numerator / denominator, wilson(numerator, denominator))


def wilson(numerator: int, denominator: int) -> Interval:
    """The 95 % score interval; its ends are within 0 and 1, and exactly there when none or all were counted."""
    share, z2 = numerator / denominator, _Z * _Z
    middle = share + z2 / (2 * denominator)
    spread = _Z * sqrt(share * (1 - share) / denominator + z2 / (4 * denominator * denominator))
    low = 0.0 if numerator == 0 else (middle - spread) / (1 + z2 / denominator)
    high = 1.0 if numerator == denominator else (middle + spread) / (1 + z2 / denominator)
    return Interval(max(0.0, low), min(1.0, high))


def percent(numerator: int, denominator: int) -> str:
    """A percentage of one decimal, halves rounded up, without a sign: `4.5`; `0.0` of nothing."""
    if not denominator:
        return "0.0"
    tenths = (2000 * numerator + denominator) // (2 * denominator)
    return f"{tenths // 10}.{tenths % 10}"
