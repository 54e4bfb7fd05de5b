"""Wilson's interval, against values that were computed elsewhere."""

from __future__ import annotations

import pytest

from mailvane.maillog.shares import share_of


@pytest.mark.parametrize(
    ("count", "whole", "low", "high"),
    [
        (0, 10, 0.0, 0.27753),  # R: binom::binom.wilson(0, 10)
        (1, 10, 0.01788, 0.40415),
        (5, 10, 0.23659, 0.76341),
        (10, 10, 0.72247, 1.0),
        (50, 1000, 0.03813, 0.06531),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_bounds_are_wilsons(count: int, whole: int, low: float, high: float) -> None:
    found = share_of(count, whole)
    assert (round(found.low, 5), round(found.high, 5)) == (low, high)
    assert found.share == (count / whole if whole else None)


def test_shares_differ_when_chance_does_not_explain_it() -> None:
    assert share_of(80, 1000).differs_from(share_of(20, 1000))
    assert share_of(20, 1000).differs_from(share_of(80, 1000))
    assert not share_of(1, 2).differs_from(share_of(0, 3))
    assert not share_of(0, 0).differs_from(share_of(999, 1000))
