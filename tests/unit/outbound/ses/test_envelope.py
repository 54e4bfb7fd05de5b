"""The envelope of SNS and the text that is signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.outbound.ses.sns import LARGEST_BODY, Malformed, milliseconds, read_envelope

FIELDS: dict[str, Any] = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:feedback",
    "Message": "line one\nline two",
    "Timestamp": "2026-11-21T01:02:03.456Z",
    "SignatureVersion": "1",
    "Signature": "c2ln",
    "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/a.pem",
}
CONFIRMATION = FIELDS | {
    "Type": "SubscriptionConfirmation",
    "Token": "tok",
    "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?x=1",
}


def body(**changed: Any) -> bytes:
    return json.dumps(FIELDS | changed).encode()


def test_a_notification_without_a_subject_signs_five_fields() -> None:
    assert read_envelope(body()).signed == (
        b"Message\nline one\nline two\nMessageId\nm-1\nTimestamp\n2026-11-21T01:02:03.456Z\n"
        b"TopicArn\narn:aws:sns:eu-west-1:123456789012:feedback\nType\nNotification\n"
    )


def test_a_subject_is_signed_where_there_is_one_even_when_empty() -> None:
    assert b"\nSubject\nhello\nTimestamp\n" in read_envelope(body(Subject="hello")).signed
    assert b"\nSubject\n\nTimestamp\n" in read_envelope(body(Subject="")).signed
    assert b"Subject" not in read_envelope(body(Subject=None)).signed


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_signs_its_address_and_token_and_no_subject(kind: str) -> None:
    envelope = read_envelope(json.dumps(CONFIRMATION | {"Type": kind, "Subject": "no"}).encode())
    assert envelope.signed == (
        b"Message\nline one\nline two\nMessageId\nm-1\nSubscribeURL\nhttps://sns.eu-west-1.amazonaws.com/?x=1\n"
        b"Timestamp\n2026-11-21T01:02:03.456Z\nToken\ntok\n"
        b"TopicArn\narn:aws:sns:eu-west-1:123456789012:feedback\nType\n" + kind.encode() + b"\n"
    )


@pytest.mark.parametrize("field", ["MessageId", "Subject", "Timestamp", "TopicArn", "Token", "SubscribeURL"])
@pytest.mark.parametrize("control", ["\n", "\r", "\x00", "\x85", "\u2028"])
def test_a_field_that_is_one_line_of_what_is_signed_has_no_other(field: str, control: str) -> None:
    told = CONFIRMATION | {"Subject": "s"}
    with pytest.raises(Malformed, match="control character"):
        read_envelope(json.dumps(told | {field: told[field] + control + "x"}).encode())
    assert read_envelope(json.dumps(told).encode()).message == "line one\nline two"


def test_the_topic_tells_its_region_and_the_message_its_time() -> None:
    envelope = read_envelope(body())
    assert envelope.region == "eu-west-1"
    assert envelope.sent_at == int(datetime(2026, 11, 21, 1, 2, 3, 456000, UTC).timestamp() * 1000)


def test_unknown_fields_are_tolerated() -> None:
    assert read_envelope(body(UnsubscribeURL="https://x", MessageAttributes={"a": {"Type": "String"}}))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"Notification"',
        b"\xff\xfe",
        b"[" * 100_000,
        body(Type="Surprise"),
        body(MessageId=""),
        body(MessageId="m" * 201),
        body(Message=7),
        body(Type="SubscriptionConfirmation"),
        b"{}" + b" " * LARGEST_BODY,
    ],
)
def test_what_is_not_an_sns_message_is_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        read_envelope(bad)


@pytest.mark.parametrize("arn", ["x", "arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:sns:eu-west-1:12:q"])
def test_a_topic_must_be_a_topic(arn: str) -> None:
    with pytest.raises(Malformed):
        _ = read_envelope(body(TopicArn=arn)).region


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-21", "2026-11-21T01:02:03", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
)
def test_a_time_needs_a_zone_and_a_century_in_which_there_is_mail(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        milliseconds(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_envelope_or_malformed(data: bytes) -> None:
    try:
        read_envelope(data)
    except Malformed:
        return


@given(st.fixed_dictionaries({name: st.text(max_size=20) | st.integers() | st.none() for name in CONFIRMATION}))
def test_any_values_are_an_envelope_or_malformed(values: dict[str, Any]) -> None:
    try:
        envelope = read_envelope(json.dumps(CONFIRMATION | values | {"Type": "Notification"}).encode())
        _ = envelope.signed, envelope.region, envelope.sent_at
    except Malformed:
        return
