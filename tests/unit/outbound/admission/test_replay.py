"""Replaying recorded minutes under other limits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.decision import judge_by
from mailvane.outbound.admission.replay import Limits, replay
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, MinuteOfDecisions, Reason, SendRequest, Usage

START = 1_767_225_600_000  # 2026-01-01
MINUTE = 60_000
OWN = Domain(id=1, workspace=1, name="a.example", created_at=0, daily_limit=50)


def minute(offset: int, asked: int, allowed: int | None = None) -> MinuteOfDecisions:
    return MinuteOfDecisions(
        domain="a.example", minute=START + offset, asked=asked, allowed=asked if allowed is None else allowed
    )


def test_it_says_on_which_days_from_when_and_how_many() -> None:
    minutes = [
        minute(0, 8),
        minute(HOUR_MS, 5),
        minute(2 * HOUR_MS, 4, allowed=2),
        minute(DAY_MS, 10),
        minute(2 * DAY_MS, 11),
    ]
    found = replay(OWN, minutes, Limits(daily=10), START)
    assert (found.asked, found.passed_then, found.stopped) == (38, 36, 8)
    assert [(day.day, day.first, day.stopped) for day in found.days] == [
        (START, START + HOUR_MS, 7),
        (START + 2 * DAY_MS, START + 2 * DAY_MS, 1),
    ]
    assert {day.reason for day in found.days} == {Reason.DAILY}


def test_without_other_limits_the_domains_own_hold() -> None:
    found = replay(OWN, [minute(0, 51)], Limits(), START)
    assert (found.daily, found.stopped) == (50, 1)
    assert replay(OWN, [minute(0, 51)], Limits(daily=0), START).stopped == 0


def test_the_month_counts_what_came_before_the_days_asked_about() -> None:
    minutes = [minute(0, 90), minute(5 * DAY_MS, 20)]
    found = replay(OWN, minutes, Limits(daily=0, monthly=100), START + 5 * DAY_MS)
    assert (found.asked, found.stopped) == (20, 10)
    assert found.days[0].reason is Reason.MONTHLY


def test_the_hourly_cap_frees_itself_with_the_hour() -> None:
    minutes = [minute(0, 15), minute(HOUR_MS, 10)]
    found = replay(OWN, minutes, Limits(daily=100, hourly_fraction=0.1), START)
    assert found.stopped == 5
    assert found.days[0].reason is Reason.HOURLY


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 9 * 60), st.integers(1, 12)), min_size=1, max_size=25),
    st.integers(0, 30),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.4, 0.5, 1.0]),
)
def test_a_replay_stops_what_a_decision_would(
    told: list[tuple[int, int]], daily: int, monthly: int, fraction: float
) -> None:
    judge = judge_by(GovernanceRules())
    limited = Domain(
        id=1,
        workspace=1,
        name="a.example",
        created_at=0,
        daily_limit=daily,
        monthly_limit=monthly,
        hourly_fraction=fraction,
    )
    usage, stopped, offset, minutes = Usage(), 0, 25 * DAY_MS, []
    for pause, asked in told:
        offset += pause * MINUTE
        minutes.append(minute(offset, asked))
        for _ in range(asked):
            verdict, usage = judge(limited, usage, SendRequest(domain="a.example"), START + offset)
            stopped += not verdict.allowed
    found = replay(OWN, minutes, Limits(daily=daily, monthly=monthly, hourly_fraction=fraction), START)
    assert found.stopped == stopped
