"""When bounces or complaints stop a domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.outbound.admission.rules import Line, advised_volume, crossing, lower_bound
from mailvane.outbound.model import Baseline, Guillotine, Usage


def crossed(bounces: int, sent: int, complaints: int = 0, **rule: float) -> bool:
    usage = Usage(sent_month=sent, bounces=bounces, complaints=complaints)
    return crossing(usage, Guillotine(**rule)) is not None  # type: ignore[arg-type]


def test_by_default_more_than_three_percent_is_too_much() -> None:
    assert crossed(4, 100)
    assert not crossed(3, 100)
    assert crossed(1, 33)
    assert not crossed(1, 34)


def test_the_counts_are_compared_and_not_the_rounded_rate() -> None:
    assert crossed(30_001, 1_000_000)
    assert not crossed(30_000, 1_000_000)


def test_nothing_sent_is_no_rate() -> None:
    assert not crossed(5, 0)


def test_a_line_of_zero_is_off() -> None:
    assert not crossed(100, 100, bounce_percent=0)
    assert not crossed(0, 100, complaints=100)
    assert crossed(0, 1000, complaints=2, complaint_percent=0.1)
    assert not crossed(0, 1000, complaints=1, complaint_percent=0.1)


def test_below_the_minimum_volume_the_rule_waits() -> None:
    assert not crossed(49, 49, minimum_volume=50)
    assert crossed(2, 50, minimum_volume=50)


def test_the_confident_rule_wants_more_than_bad_luck() -> None:
    assert not crossed(4, 100, confident=True)
    assert not crossed(1, 1, confident=False, minimum_volume=2)
    assert crossed(8, 100, confident=True)
    assert crossed(400, 10_000, confident=True)


def test_the_finding_carries_its_figures() -> None:
    found = crossing(Usage(sent_month=100, bounces=4), Guillotine())
    assert found is not None
    assert (found.line, found.count, found.sent, found.rate, found.limit) == (Line.BOUNCES, 4, 100, 4.0, 3.0)
    assert found.lower_bound == 1.57


# Values of the published formula, from tables of Wilson's interval.
@pytest.mark.parametrize(("count", "whole", "bound"), [(0, 10, 0.0), (1, 10, 1.79), (5, 10, 23.66), (10, 10, 72.25)])
def test_the_lower_bound_is_wilsons(count: int, whole: int, bound: float) -> None:
    assert lower_bound(count, whole) == pytest.approx(bound, abs=0.005)


@given(st.integers(1, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_lower_bound_is_below_the_rate(case: tuple[int, int]) -> None:
    count, whole = case
    assert 0 <= lower_bound(count, whole) <= 100 * count / whole + 1e-9


def test_more_bounces_than_mails_are_no_failure() -> None:
    assert crossed(7, 3, confident=True)


@pytest.mark.parametrize(
    ("rule", "advised"),
    [
        (Guillotine(), 100),
        (Guillotine(minimum_volume=33), 100),
        (Guillotine(minimum_volume=34), 0),
        (Guillotine(bounce_percent=0), 0),
        (Guillotine(bounce_percent=0.5), 200),
        (Guillotine(minimum_volume=500, complaint_percent=0.1), 1000),
        (Guillotine(confident=True), 0),
        (Guillotine(warn_only=True), 0),
    ],
)
def test_a_rule_by_which_one_bounce_stops_a_domain_should_wait_for_more_mail(rule: Guillotine, advised: int) -> None:
    assert advised_volume(rule) == advised
    assert not advised or not crossed(1, advised, minimum_volume=advised, bounce_percent=rule.bounce_percent)


def test_rates_are_of_what_came_after_somebody_restored_the_domain() -> None:
    usage = Usage(sent_month=150, bounces=6, complaints=2, baseline=Baseline(1, 100, 5, 2))
    found = crossing(usage, Guillotine(bounce_percent=1.9))
    assert found is not None
    assert (found.count, found.sent, found.rate) == (1, 50, 2.0)
    assert crossing(usage, Guillotine(bounce_percent=2, complaint_percent=0.1)) is None
