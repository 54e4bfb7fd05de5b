"""Shares, with what they are worth."""

from __future__ import annotations

import pytest

from mailvane.mailboxes.rates import percent, rate, wilson


@pytest.mark.parametrize(
    ("numerator", "denominator", "told"),
    [
        (5625, 12_500, "45.0"),
        (312, 12_500, "2.5"),
        (0, 0, "0.0"),
        (0, 7, "0.0"),
        (7, 7, "100.0"),
        (1, 3, "33.3"),
        (2, 3, "66.7"),
        (1, 400, "0.3"),  # 0.25: a half goes up
        (15, 10_000, "0.2"),  # 0.15, which as a binary fraction is a little less
        (1, 3000, "0.0"),
        (999, 1000, "99.9"),
        (9995, 10_000, "100.0"),
    ],
)
def test_percentages_have_one_decimal(numerator: int, denominator: int, told: str) -> None:
    assert percent(numerator, denominator) == told


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),  # of Newcombe, "Two-sided confidence intervals" (1998), table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval(numerator: int, denominator: int, low: float, high: float) -> None:
    found = wilson(numerator, denominator)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_what_is_unknown_is_null_and_not_zero() -> None:
    assert (rate(None, 10).numerator, rate(None, 10).rate, rate(None, 10).interval) == (None, None, None)
    assert (rate(0, 0).numerator, rate(0, 0).rate, rate(0, 0).interval) == (0, None, None)
    assert rate(0, 10).rate == 0.0
