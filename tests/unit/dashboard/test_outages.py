"""Since when a page has not been answered."""

from __future__ import annotations

from mailvane.core.moments import MINUTE_MS
from mailvane.dashboard.outages import Outages


def test_it_is_told_since_the_first_failure_until_an_answer_comes() -> None:
    outages = Outages()
    assert [outages.failed("/log", minute * MINUTE_MS) for minute in (1, 2, 20)] == [MINUTE_MS] * 3
    assert outages.failed("/other", 20 * MINUTE_MS) == 20 * MINUTE_MS
    outages.answered("/log")
    assert outages.failed("/log", 21 * MINUTE_MS) == 21 * MINUTE_MS


def test_nobody_knows_what_was_between_two_questions_that_are_far_apart() -> None:
    outages = Outages()
    outages.failed("/log", 0)
    assert outages.failed("/log", 31 * MINUTE_MS) == 31 * MINUTE_MS
