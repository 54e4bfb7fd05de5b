"""Questions travel between processes as JSON, and arrive as they were asked."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.queries import LogQuestion

TEXT = st.none() | st.text(max_size=20)
QUESTIONS = st.builds(
    LogQuestion,
    workspace=st.integers(1, 99),
    relays=st.lists(st.integers(1, 99), min_size=1, max_size=3).map(tuple),
    subject=TEXT,
    sender=TEXT,
    delivered=st.none() | st.booleans(),
    since=st.none() | st.integers(-(10**13), 10**13),
    by_message=st.booleans(),
)


@given(QUESTIONS)
def test_a_question_survives_being_sent(question: LogQuestion) -> None:
    assert msgspec.json.decode(msgspec.json.encode(question), type=LogQuestion) == question
