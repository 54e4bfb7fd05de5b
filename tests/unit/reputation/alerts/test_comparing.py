"""What rules compare with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.comparing import Age, AgeOperator, Comparison, Operator, Stretch

NUMBERS = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 1))


@given(st.lists(NUMBERS), NUMBERS, st.sampled_from(Operator))
def test_the_slice_holds_exactly_the_numbers_for_which_it_holds(
    numbers: list[float], value: float, operator: Operator
) -> None:
    comparison, ascending = Comparison(value=value, operator=operator), sorted(numbers)
    assert ascending[comparison.within(ascending)] == [number for number in ascending if comparison.holds(number)]


def test_an_age_is_less_or_more_than_a_stretch_and_never_exactly_it() -> None:
    now = 100 * DAY_MS
    young = Age(value=Stretch.ONE_WEEK, operator=AgeOperator.LT)
    old = Age(value=Stretch.ONE_WEEK, operator=AgeOperator.GT)
    moments = [now - 8 * DAY_MS, now - 7 * DAY_MS, now - 6 * DAY_MS, now + DAY_MS, 0, -5]
    assert [young.holds(moment, now) for moment in moments] == [False, False, True, True, False, False]
    assert [old.holds(moment, now) for moment in moments] == [True, False, False, False, False, False]
