"""What SES tells of a mail, as mail events and as feedback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailvane.maillog.model import EventType, MailEvent, ReasonFamily, mail_number
from mailvane.maillog.reasons import load_reasons
from mailvane.outbound.ses.notifications import Counted, feedback_of, mail_events, sending_domains
from mailvane.outbound.ses.record import Record, read_record
from mailvane.outbound.ses.sns import Envelope, EnvelopeType
from mailvane_demo.world.sns_topic import stamp
from tests.unit.outbound.ses.conftest import NOW
from tests.unit.outbound.ses.examples import MAIL, PARTS, SENT, bounce, notification

REASONS = load_reasons()


def record_of(text: str) -> Record:
    record = read_record(text)
    assert record is not None
    return record


def events_of(text: str) -> list[MailEvent]:
    envelope = Envelope(
        type=EnvelopeType.NOTIFICATION,
        message_id="m",
        topic_arn="arn:aws:sns:eu-central-1:123456789012:t",
        message=text,
        timestamp=stamp(NOW),
        signature_version="2",
        signature="x",
        signing_cert_url="x",
    )
    return mail_events(record_of(text), envelope, 7, REASONS)


def test_an_event_names_its_mail_as_the_native_intake_would() -> None:
    (event,) = events_of(bounce())
    assert (event.relay, event.accepted_at, event.number) == (7, SENT, mail_number(MAIL["messageId"]))


def test_an_event_tells_all_that_ses_knows_of_the_mail() -> None:
    (event,) = events_of(bounce())
    assert (event.sender, event.header_from, event.reply_to) == (
        "news@shop.example",
        "news@shop.example",
        "help@shop.example",
    )
    assert (event.subject, event.message_id) == ("Autumn", "<abc@shop.example>")
    assert (event.in_reply_to, event.references) == ("<first@one.example>", "<first@one.example>")
    assert (event.origin, event.login, event.queue_id) == ("192.0.2.7", "mailer", MAIL["messageId"])
    assert event.recipients == 2
    assert event.source == "ses"
    assert event.raw.startswith('1\t{"notificationType"')


def test_a_message_id_without_brackets_gets_them() -> None:
    (event,) = events_of(notification("Open", headers=None))
    assert event.message_id == f"<{MAIL['messageId']}>"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Delivery", EventType.DELIVERED),
        ("Bounce", EventType.BOUNCED),
        ("Complaint", EventType.COMPLAINED),
        ("DeliveryDelay", EventType.DEFERRED),
        ("Open", EventType.OPENED),
        ("Click", EventType.CLICKED),
        ("Subscription", EventType.UNSUBSCRIBED),
    ],
)
def test_what_concerns_one_recipient_is_one_event_at_its_own_time(kind: str, expected: EventType) -> None:
    (event,) = events_of(notification(kind))
    assert (event.type, event.recipient, event.recipient_number) == (expected, "ann@one.example", 1)
    assert event.at == NOW - 60_000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Send", EventType.ACCEPTED), ("Reject", EventType.DISCARDED), ("RenderingFailure", EventType.DISCARDED)],
)
def test_what_concerns_the_whole_mail_is_an_event_for_each_recipient(kind: str, expected: EventType) -> None:
    events = events_of(notification(kind))
    assert [(event.type, event.recipient) for event in events] == [
        (expected, "ann@one.example"),
        (expected, "bob@two.example"),
    ]


def test_a_mail_is_accepted_when_ses_took_it() -> None:
    assert {event.at for event in events_of(notification("Send"))} == {SENT}


def test_a_delivery_tells_what_the_other_server_said() -> None:
    (event,) = events_of(notification("Delivery"))
    assert (event.code, event.enhanced_code, event.reply) == (250, "2.6.0", "250 2.6.0 Message received")
    assert (event.delay, event.mx_ip, event.host) == (546, "198.51.100.2", "a8-70.smtp-out.amazonses.com")


def test_a_permanent_bounce_is_hard_and_has_its_reason() -> None:
    (event,) = events_of(bounce())
    assert (event.code, event.enhanced_code, event.hard) == (550, "5.1.1", True)
    assert event.family is ReasonFamily.UNKNOWN_USER
    assert event.host == "a8-70.smtp-out.amazonses.com"


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_any_other_bounce_is_not_hard(kind: str) -> None:
    (event,) = events_of(bounce(bounceType=kind, bounceSubType="MailboxFull"))
    assert (event.hard, event.family) == (False, ReasonFamily.MAILBOX_FULL)


def test_a_bounce_without_a_diagnosis_says_what_ses_says() -> None:
    recipients = [{"emailAddress": "ann@one.example"}]
    (event,) = events_of(bounce(bounceSubType="Suppressed", bouncedRecipients=recipients))
    assert (event.reply, event.family) == ("Permanent Suppressed", ReasonFamily.POLICY)


def test_a_delay_is_a_deferral() -> None:
    (event,) = events_of(notification("DeliveryDelay"))
    assert (event.code, event.enhanced_code, event.hard) == (452, "4.2.2", False)
    assert event.family is ReasonFamily.MAILBOX_FULL


def test_a_bounce_of_several_recipients_is_an_event_for_each_and_counts_once() -> None:
    recipients = [{"emailAddress": f"u{n}@one.example"} for n in range(3)]
    text = bounce(bouncedRecipients=recipients)
    assert [event.recipient for event in events_of(text)] == [f"u{n}@one.example" for n in range(3)]
    assert feedback_of(record_of(text), every_bounce=False) == Counted(bounces=1)


def test_only_permanent_bounces_count_unless_all_shall() -> None:
    record = record_of(bounce(bounceType="Transient"))
    assert feedback_of(record, every_bounce=False) == Counted()
    assert feedback_of(record, every_bounce=True) == Counted(bounces=1)


def test_mail_that_ses_did_not_send_does_not_count() -> None:
    record = record_of(bounce(bounceSubType="OnAccountSuppressionList"))
    assert feedback_of(record, every_bounce=True) == Counted()


def test_a_complaint_counts_once_and_its_opposite_does_not() -> None:
    assert feedback_of(record_of(notification("Complaint")), every_bounce=False) == Counted(complaints=1)
    text = json.loads(notification("Complaint"))
    text["complaint"]["complaintFeedbackType"] = "not-spam"
    assert feedback_of(record_of(json.dumps(text)), every_bounce=False) == Counted()
    assert events_of(json.dumps(text)) == []


@pytest.mark.parametrize("feedback_type", ["abuse", None])
def test_an_address_that_complained_before_and_was_not_sent_to_is_no_complaint(feedback_type: str | None) -> None:
    text = json.loads(notification("Complaint"))
    text["complaint"] |= {"complaintSubType": "OnAccountSuppressionList", "complaintFeedbackType": feedback_type}
    assert feedback_of(record_of(json.dumps(text)), every_bounce=True) == Counted()
    (event,) = events_of(json.dumps(text))
    assert (event.type, event.reply, event.family, event.hard) == (
        EventType.DISCARDED,
        "OnAccountSuppressionList",
        ReasonFamily.POLICY,
        True,
    )


@pytest.mark.parametrize("kind", sorted(set(PARTS) - {"Bounce", "Complaint"}))
def test_nothing_else_counts(kind: str) -> None:
    assert feedback_of(record_of(notification(kind)), every_bounce=True) == Counted()


def test_the_domain_is_of_the_sender_then_of_the_identity() -> None:
    assert sending_domains(record_of(bounce())) == ["shop.example", "shop.example"]
    text = notification("Bounce", source="bounce+x@mail.shop.example")
    assert sending_domains(record_of(text)) == ["mail.shop.example", "shop.example"]
    assert sending_domains(record_of(notification("Bounce", source=None, sourceArn=None))) == []
    address = notification("Bounce", source="", sourceArn="arn:aws:ses:x:1:identity/me@shop.example")
    assert sending_domains(record_of(address)) == ["shop.example"]


def test_an_open_of_a_mail_to_several_stays_one() -> None:
    assert len(events_of(notification("Open", destination=["a@x.example", "b@x.example"]))) == 1


@pytest.mark.parametrize("changed", [{"timestamp": None}, {"timestamp": "soon"}, {"messageId": ""}])
def test_without_its_identity_no_mail_is_told_of(changed: dict[str, Any]) -> None:
    assert events_of(notification("Bounce", **changed)) == []


def test_an_unknown_type_is_no_event() -> None:
    assert events_of(json.dumps({"eventType": "Teleport", "mail": MAIL})) == []


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_a_type_without_its_part_is_no_event(kind: str) -> None:
    events = events_of(json.dumps({"eventType": kind, "mail": MAIL}))
    assert events == [] or kind == "Send"


def test_control_characters_do_not_reach_the_mail_log() -> None:
    common = {"subject": "a\r\n\x00b", "from": ["x\x1f@shop.example"]}
    (event,) = events_of(notification("Open", commonHeaders=common, headers=[]))
    assert event.subject == "a b"
    assert event.header_from.isprintable()
    assert event.raw.removeprefix("1\t").isprintable()


def test_the_time_of_the_message_serves_where_the_event_has_none() -> None:
    (event,) = events_of(bounce(timestamp=None))
    assert event.at == NOW


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(kind=st.sampled_from(sorted(PARTS)), data=st.data())
def test_no_value_of_any_field_breaks_the_reading(kind: str, data: st.DataObject) -> None:
    text = json.loads(notification(kind))
    part = next(iter(PARTS[kind]))
    for place in ("mail", part):
        for name in data.draw(st.sets(st.sampled_from(sorted(text[place]) or ["x"]), max_size=3)):
            text[place][name] = data.draw(_JSON | st.lists(st.text(max_size=20), max_size=3))
    record = read_record(json.dumps(text))
    if record is not None:
        feedback_of(record, every_bounce=True)
        sending_domains(record)
        for event in events_of(json.dumps(text)):
            assert event.recipient
            assert 0 < event.at < 2**53
