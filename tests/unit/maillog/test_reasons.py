"""Replies of the large receivers, and of Postfix itself, fall into the right families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.model import ReasonFamily
from mailvane.maillog.reasons import load_reasons
from tests.tables import read_table

TABLE: dict[str, list[dict[str, Any]]] = read_table(Path(__file__).parent / "reasons.yaml")
CASES = [(case.get("family", family), case) for family, cases in TABLE.items() for case in cases]
REASONS = load_reasons()


@pytest.mark.parametrize(("family", "case"), CASES, ids=[case["reply"][:60] for _, case in CASES])
def test_a_reply_is_sorted(family: str, case: dict[str, Any]) -> None:
    found, hard = REASONS.sort(case["reply"], case.get("code", 0), case.get("enhanced", ""))
    assert found == family
    assert hard is not case.get("soft", False)


def test_every_family_has_cases() -> None:
    assert set(TABLE) == {family.value for family in ReasonFamily if family}


def test_what_differs_from_mail_to_mail_decides_nothing() -> None:
    one = REASONS.sort("550 5.1.1 <spam@virus.example> 192.0.2.1 a1-20020a05zz no such user here", 550, "5.1.1")
    other = REASONS.sort("550 5.1.1 <x@y.example> 192.0.2.77 b2-30020b06yy no such user here", 550, "5.1.1")
    assert one == other == (ReasonFamily.UNKNOWN_USER, True)


@given(st.text(), st.integers(min_value=0, max_value=599), st.sampled_from(["", "5.1.1", "4.2.2", "5.7.999"]))
def test_every_reply_has_a_family(reply: str, code: int, enhanced: str) -> None:
    family, _ = REASONS.sort(reply, code, enhanced)
    assert family in ReasonFamily
    assert family is not ReasonFamily.NONE
