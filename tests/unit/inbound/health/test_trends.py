"""Whether counts change from week to week: what is told apart from chance, and what is not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest

from mailvane.inbound.health.model import Change, DayCounts
from mailvane.inbound.health.trends import changes

FIRST = date(2026, 6, 1)  # a Monday
WEEKDAYS = (1.3, 1.2, 1.1, 1.1, 1.0, 0.4, 0.3)
Made = Callable[[random.Random], list[int]]


def days(metric: str, values: Sequence[int | None], estimates: tuple[str, ...] = ()) -> list[DayCounts]:
    return [
        DayCounts((FIRST + timedelta(place)).isoformat(), {metric: value}, estimates)
        for place, value in enumerate(values)
        if value is not None
    ]


def running(daily: Sequence[int]) -> list[int]:
    """As the week's usage counts up, from Monday."""
    return [sum(daily[place - place % 7 : place + 1]) for place in range(len(daily))]


def found(metric: str, values: Sequence[int | None], estimates: tuple[str, ...] = ()) -> dict[str, Change]:
    return {one.span: one for one in changes(days(metric, values, estimates))}


def poisson(chance: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def traffic(mean: float, growth: float = 0.0, bursts: float = 0.0, length: int = 56) -> Made:
    """Mails a day, with weekdays, growing by so much a week, and varying beyond chance."""

    def made(chance: random.Random) -> list[int]:
        means = [mean * WEEKDAYS[day % 7] * math.exp(growth * day / 7) for day in range(length)]
        spread = [chance.gammavariate(1 / bursts, bursts) if bursts else 1.0 for _ in means]
        return [poisson(chance, each * by) for each, by in zip(means, spread, strict=True)]

    return made


def backlog(mean: float, stays: float, growth: float = 0.0, length: int = 56) -> Made:
    """What waits each day: every mail stays another day by chance."""

    def made(chance: random.Random) -> list[int]:
        waiting, told = round(mean), []
        for day in range(length):
            waiting = sum(chance.random() < stays for _ in range(waiting))
            waiting += poisson(chance, mean * (1 - stays) * math.exp(growth * day / 7))
            told.append(waiting)
        return told

    return made


def clear(metric: str, made: Made, rounds: int = 60) -> dict[str, float]:
    """How often a change is called clear."""
    sums = {"week": 0, "gradual": 0}
    for seed in range(rounds):
        values = made(random.Random(seed))
        for span, one in found(metric, running(values) if metric == "weekly_used" else values).items():
            sums[span] += one.is_clear
    return {span: count / rounds for span, count in sums.items()}


@pytest.mark.parametrize(
    ("metric", "made"),
    [
        ("weekly_used", traffic(20)),
        ("weekly_used", traffic(100, bursts=0.5)),
        ("failed_count", backlog(10, 0.8)),
        ("quarantine_pending", backlog(60, 0.97)),
    ],
)
def test_chance_is_hardly_ever_called_a_change(metric: str, made: Made) -> None:
    assert max(clear(metric, made).values()) <= 0.05


@pytest.mark.parametrize(
    ("metric", "made"),
    [("weekly_used", traffic(60, growth=0.15)), ("failed_count", backlog(30, 0.8, growth=0.15))],
)
def test_growth_that_no_single_week_shows_is_found(metric: str, made: Made) -> None:
    found_out = clear(metric, made)
    assert found_out["gradual"] >= 0.9
    assert found_out["week"] <= 0.2


def test_a_change_is_told_with_its_interval() -> None:
    weekly = found("failed_count", [100] * 7 + [200] * 7)["week"]
    assert (weekly.change_pct, weekly.days, weekly.is_clear) == (100.0, 14, True)
    # log 2 more or less 2.576 standard errors, of counts of 100 and 200: however often a level is read, it is no more.
    width = 2.576 * math.sqrt(1 / 100 + 1 / 200)
    assert weekly.low_pct == round(100 * math.expm1(math.log(2) - width), 1)
    assert weekly.high_pct == round(100 * math.expm1(math.log(2) + width), 1)


@pytest.mark.parametrize(
    "values", [[10] * 7 + [14] * 7, [1000] * 7 + [1100] * 7, [0] * 7 + [2] * 7, [3, 60, 2, 4, 1, 2, 3] + [4] * 7]
)
def test_a_small_or_doubtful_one_is_not_clear(values: list[int]) -> None:
    assert not found("failed_count", values)["week"].is_clear


def test_a_slope_is_told_for_a_week() -> None:
    levels = [round(100 * 1.1 ** (day // 7)) for day in range(42)]
    gradual = found("denied_count", levels)["gradual"]
    assert 9.5 < gradual.change_pct < 10.5
    assert gradual.low_pct < 10 < gradual.high_pct
    assert gradual.is_clear


def test_days_that_are_not_known_are_no_zeros() -> None:
    known: list[int | None] = [50] * 14
    known[3] = known[12] = None
    weekly = found("failed_count", known)["week"]
    assert (weekly.change_pct, weekly.days) == (0.0, 10)  # weekdays that both weeks have
    known[9] = None
    assert "week" not in found("failed_count", known)


@pytest.mark.parametrize("values", [[], [5], [0] * 56, [7] * 11])
def test_too_little_says_nothing(values: list[int]) -> None:
    assert found("failed_count", values) == {}


def test_the_day_on_which_the_week_begins_again_is_not_a_fall() -> None:
    steady = found("weekly_used", running([30] * 56))
    assert (steady["week"].change_pct, steady["gradual"].change_pct) == (0.0, 0.0)


def test_an_estimate_is_as_sure_as_the_pages_that_it_was_reckoned_from() -> None:
    values = [50] * 7 + [100] * 7
    exact, estimated = found("quarantine_pending", values), found("quarantine_pending", values, ("quarantine_pending",))
    assert exact["week"].is_clear
    assert not estimated["week"].is_clear  # one page, then two


def test_counts_and_estimates_are_not_compared() -> None:
    mixed = days("failed_count", [500] * 7, ("failed_count",))
    exact = [DayCounts((FIRST + timedelta(7 + day)).isoformat(), {"failed_count": 20}) for day in range(7)]
    assert changes([*mixed, *exact]) == ()
