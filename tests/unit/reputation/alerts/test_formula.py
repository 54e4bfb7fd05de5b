"""Formulas over the keys of rules."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.engine import read_formula


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a AND b OR c", "ab c abc ac bc"),
        ("a AND (b OR c)", "ab ac abc"),
        ("(a OR b) and c", "ac bc abc"),
        ("a or b or c", "a b c ab ac bc abc"),
        ("((a)) AND b AND c", "abc"),
        ("c OR a AND b", "ab c abc ac bc"),
    ],
)
def test_and_binds_tighter_than_or(text: str, holds: str) -> None:
    formula = read_formula(text, "abc")
    for number in range(8):
        true = "".join(key for place, key in enumerate("abc") if number >> place & 1)
        assert formula.holds({key: key in true for key in "abc"}) == (true in holds.split()), true


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a rule's key is missing"),
        ("a AND", "a rule's key is missing"),
        ("a b", "b is not expected there"),
        ("AND a", "AND is not expected there"),
        ("a OR b OR d", "there is no rule with the key d"),
        ("a OR a", "the rule b is not in it"),
        ("(a OR b", "a parenthesis is not closed"),
        ("a OR b)", ") is not expected there"),
        ("a && b", "cannot be understood at"),
        ("NOT a OR b", "NOT is not expected there"),
        ("(" * 200 + "a", "more than 100 parentheses"),
        ("a " * 2000, "longer than"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_formula(text, "ab")
    assert refused.value.fields[0][0] == "formula"
    assert reason in refused.value.fields[0][1]


@given(st.text(alphabet="abAND OR()&", max_size=60))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    with suppress(InvalidFields):
        read_formula(text, "ab").holds({"a": True, "b": False})
