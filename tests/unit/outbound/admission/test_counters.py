"""Counters and the time they belong to."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import (
    counted,
    day_reset,
    day_start,
    month_of,
    month_reset,
    month_start,
    today,
)
from mailvane.outbound.model import Usage


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = at("2026-03-15T12:30:00")


def sent(number: int, now: int, usage: Usage | None = None) -> Usage:
    return counted(today(usage or Usage(), now), number)


def test_a_new_hour_day_and_month_begin_at_zero() -> None:
    usage = sent(5, at("2026-03-31T22:59:59.999"))
    hour = today(usage, at("2026-03-31T23:00:00"))
    assert (hour.sent_this_hour, hour.sent_today, hour.sent_month) == (0, 5, 5)
    day = today(usage, at("2026-03-31T00:00:00") + DAY_MS)
    assert (day.sent_this_hour, day.sent_today, day.sent_month) == (0, 0, 0)
    assert day.last_days == (5,)
    assert today(usage, at("2026-03-31T22:10:00")) == usage


def test_the_history_has_seven_days_and_idle_days_are_zero() -> None:
    usage, start = Usage(), at("2026-03-01T10:00:00")
    for day, number in enumerate((1, 2, 3, 4)):
        usage = sent(number, start + day * DAY_MS, usage)
    after = today(usage, start + 6 * DAY_MS)
    assert after.last_days == (0, 0, 4, 3, 2, 1)
    assert today(usage, start + 8 * DAY_MS).last_days == (0, 0, 0, 0, 4, 3, 2)
    assert today(usage, start + 900 * DAY_MS).last_days == (0,) * 7


def test_days_before_the_first_mail_are_no_history() -> None:
    idle = today(today(Usage(), NOON), NOON + 3 * DAY_MS)
    assert (idle.last_days, idle.first_day) == ((), 0)
    first = sent(1, NOON + 3 * DAY_MS, idle)
    assert first.first_day == (NOON + 3 * DAY_MS) // DAY_MS
    assert today(first, NOON + 4 * DAY_MS).first_day == first.first_day


def test_a_month_that_nobody_billed_is_kept_until_somebody_does() -> None:
    usage = sent(40, at("2026-01-20T00:00:00"))
    usage = sent(2, at("2026-02-20T00:00:00"), usage)
    usage = sent(3, at("2026-03-20T00:00:00"), usage)
    assert (usage.sent_month, usage.unbilled_sent) == (3, 42)
    reset = month_reset(usage, at("2026-03-20T00:01:00"))
    assert (reset.sent_month, reset.unbilled_sent, reset.sent_today) == (0, 0, 3)


def test_a_clock_that_is_a_little_behind_takes_nothing_back() -> None:
    midnight = at("2026-04-01T00:00:00")
    usage = sent(9, midnight + 10)
    assert today(usage, midnight - 10) == usage
    late = sent(1, midnight - 10, usage)
    assert (late.sent_today, late.sent_month, late.day) == (10, 10, usage.day)


def test_counters_of_a_clock_that_was_far_ahead_do_not_stop_the_present() -> None:
    wrong = sent(9, at("2036-04-01T00:00:00"))
    usage = today(wrong, NOON)
    assert (usage.sent_today, usage.sent_this_hour, usage.sent_month) == (0, 0, 0)
    assert (usage.day, usage.last_days) == (NOON // DAY_MS, ())
    assert usage.unbilled_sent == 9, "what was sent is billed all the same"


def test_a_clock_that_jumps_ahead_and_back_finds_what_was_counted() -> None:
    usage = sent(7, NOON - DAY_MS)
    usage = sent(9, NOON, usage)
    assert today(sent(5, NOON + HOUR_MS, usage), NOON + 1).sent_this_hour == 9
    for ahead in (17 * DAY_MS, 31 * DAY_MS, 365 * DAY_MS):
        wrong = sent(5, NOON + ahead, usage)
        back = today(wrong, NOON + 1)
        assert (back.sent_this_hour, back.sent_today, back.sent_month, back.last_days) == (9, 9, 16, (7,))
        assert today(sent(1, NOON + 1, wrong), NOON + ahead).sent_this_hour == 5, "its time comes, and counts it"
        assert back.sent_month + back.unbilled_sent == 21
    assert today(wrong, NOON + DAY_MS).last_days == (9, 7)


def test_a_clock_that_was_ahead_at_the_first_mail_does_not_hold_up_a_warm_up() -> None:
    assert today(sent(1, NOON + 90 * DAY_MS), NOON).first_day == NOON // DAY_MS


def test_a_node_that_is_behind_by_more_than_clocks_differ_counts_in_its_own_day() -> None:
    midnight = at("2026-04-01T00:00:00")
    usage = sent(2, midnight, sent(9, midnight - HOUR_MS))
    assert today(usage, midnight - 60_000) == usage
    behind = today(usage, midnight - 60_001)
    assert (behind.sent_this_hour, behind.sent_today, behind.sent_month) == (9, 9, 9)
    assert today(behind, midnight).sent_month == 2


def test_a_daily_reset_clears_the_day_only() -> None:
    reset = day_reset(sent(5, NOON), NOON)
    assert (reset.sent_today, reset.sent_this_hour, reset.sent_month) == (0, 5, 5)


def test_the_keys_of_times() -> None:
    assert month_of(at("2026-01-01T00:00:00") // HOUR_MS) == 12 * 2026
    assert month_of(at("2025-12-31T23:59:59") // HOUR_MS) == 12 * 2025 + 11
    assert month_start(NOON) == at("2026-03-01T00:00:00")
    assert day_start(NOON) == at("2026-03-15T00:00:00")


@given(st.lists(st.tuples(st.integers(0, 40 * DAY_MS), st.integers(1, 5)), min_size=1, max_size=30))
def test_nothing_sent_is_ever_lost_to_billing(mails: list[tuple[int, int]]) -> None:
    usage, now = Usage(), NOON
    for pause, number in mails:
        now += pause
        usage = sent(number, now, usage)
    assert usage.unbilled_sent + usage.sent_month == sum(number for _, number in mails)
    assert len(usage.last_days) <= 7


@given(st.lists(st.tuples(st.sampled_from([0, 40, 75, 400]), st.integers(1, 5)), min_size=1, max_size=30))
def test_a_month_has_what_was_counted_in_it_whichever_way_clocks_go(mails: list[tuple[int, int]]) -> None:
    usage, months = Usage(), dict.fromkeys((0, 40, 75, 400), 0)
    for ahead, number in mails:
        months[ahead] += number
        usage = sent(number, NOON + ahead * DAY_MS, usage)
        assert (usage.sent_month, usage.sent_today, usage.sent_this_hour) == (months[ahead],) * 3
        assert usage.unbilled_sent + usage.sent_month == sum(months.values())
