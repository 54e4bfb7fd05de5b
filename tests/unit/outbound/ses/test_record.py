"""Notifications are read loosely: whatever SES adds or leaves out does no harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.outbound.ses.record import read_record
from tests.unit.outbound.ses.examples import PARTS, notification


@pytest.mark.parametrize("kind", sorted(PARTS))
@pytest.mark.parametrize("name", ["notificationType", "eventType"])
def test_both_names_of_the_type_are_read(kind: str, name: str) -> None:
    record = read_record(notification(kind, name))
    assert record is not None
    assert record.type == kind


def test_a_type_may_be_written_as_words() -> None:
    record = read_record(notification("Rendering Failure", "eventType"))
    assert record is not None
    assert record.type == "RenderingFailure"


def test_unknown_fields_are_tolerated() -> None:
    text = json.loads(notification("Bounce"))
    text["bounce"]["somethingNew"] = {"a": [1]}
    text["mail"]["tags"] = {"ses:configuration-set": ["x"]}
    text["more"] = None
    assert read_record(json.dumps(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "{}",
        "[]",
        "null",
        '{"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "hello"}',
        '{"notificationType": "Bounce"}',
        '{"mail": {}}',
        '{"notificationType": "Bounce", "mail": 7}',
        "[" * 50_000,
        '{"notificationType": "\ud800"}',
    ],
)
def test_what_is_no_notification_is_none(text: str) -> None:
    assert read_record(text) is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_not(text: str) -> None:
    read_record(text)
