"""Whatever a line holds, it becomes an event that the mail log can keep, or it is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.maillog.api.event import NativeEvent, mail_event, milliseconds
from mailvane.maillog.model import EventType, MailEvent
from mailvane.maillog.reasons import load_reasons

REASONS = load_reasons()
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.lists(st.integers(), max_size=2),
    st.sampled_from(["2024-01-17T20:00:00Z", "192.0.2.1", "5.1.1", "bounced", "spam", "18d1903054d0abcdef", 1e9]),
)  # fmt: skip
PLAIN = {
    "id": "e",
    "type": "delivered",
    "time": 1_705_521_600,
    "mail": "q",
    "accepted_at": 1,
    "recipient": "a@b.example",
}


@example({"accepted_at": float("inf")})
@example({"time": float("nan")})
@example({"delay": 1e308})
@given(st.dictionaries(st.sampled_from(NativeEvent.__struct_fields__), VALUES, max_size=4))
def test_a_line_of_any_values_is_an_event_or_is_refused(changes: dict[str, object]) -> None:
    try:
        told = msgspec.convert(PLAIN | changes, NativeEvent)
        event = mail_event(told, 1, "intake", 1, REASONS)
    except (InvalidInput, msgspec.ValidationError):
        return
    assert isinstance(event.type, EventType)
    assert 0 <= event.at < 2**43
    assert 0 <= event.accepted_at < 2**43
    assert 0 <= event.number < 2**28
    assert 0 <= event.code < 2**16
    assert event.recipient
    texts = [value for value in msgspec.structs.asdict(event).values() if isinstance(value, str)]
    assert not any(character < " " for text in texts for character in text)
    assert msgspec.convert(msgspec.to_builtins(event), MailEvent) == event


@pytest.mark.parametrize(
    ("time", "found"),
    [
        (0, 0),
        (1_705_521_600, 1_705_521_600_000),
        (1_705_521_600.1234, 1_705_521_600_123),
        (99_999_999_999, None),
        (100_000_000_000, 100_000_000_000),
        (7_289_654_399_999, 7_289_654_399_999),
        (7_289_654_400_000, None),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", None),
        ("2200-12-31T23:59:59.999Z", 7_289_654_399_999),
        ("2024-01-17 20:00:00+00:00", 1_705_521_600_000),
        ("2024-01-17", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_times_are_between_1970_and_2200(time: str | float, found: int | None) -> None:
    if found is None:
        with pytest.raises(InvalidInput, match="`time` is not"):
            milliseconds(time, "time")
    else:
        assert milliseconds(time, "time") == found
