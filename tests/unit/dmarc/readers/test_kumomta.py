"""KumoMTA's log records of feedback and late bounces, as its documentation shapes them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mailvane.dmarc.intake import Failure, Found, Unread
from mailvane.dmarc.readers.reading import read_reports
from mailvane.maillog.complaints import Bounce

AT = 1_795_000_000
HEADER = (
    "Received: from app.shop.example (app.shop.example [192.0.2.7])\n by mx.shop.example (KumoMTA 192.0.2.8)\n"
    " with ESMTP id 0f1e2d3c4b5a11ed940250ebf67f93bd for <ann@one.example>;\n Mon, 16 Nov 2026 10:00:00 +0000\n"
    "From: Shop <news@shop.example>\nTo: <undisclosed>\nSubject: Sale\nMessage-ID: <s1@shop.example>\n\nBuy\n"
)
OOB: dict[str, Any] = {
    "type": "OOB", "id": "aa98076abbbc11ed940250ebf67f93bd", "sender": "bounces@shop.example",
    "recipient": "ann@one.example", "queue": "bounce.shop.example", "site": "", "size": 0,
    "response": {
        "code": 550, "enhanced_code": {"class": 5, "subject": 1, "detail": 1}, "content": "user unknown",
        "command": None,
    },
    "peer_address": {"name": "mx.one.example", "addr": "203.0.113.9"},
    "timestamp": AT, "created": AT, "num_attempts": 0, "bounce_classification": "InvalidRecipient",
    "egress_pool": None, "feedback_report": None, "meta": {},
    "headers": {"Subject": "Undelivered", "In-Reply-To": "<s1@shop.example>"}, "reception_protocol": "ESMTP",
}  # fmt: skip
FEEDBACK: dict[str, Any] = {
    "type": "Feedback", "id": "bb98076abbbc11ed940250ebf67f93bd", "sender": "fbl@one.example",
    "recipient": "fbl@shop.example", "timestamp": AT, "created": AT, "headers": {}, "meta": {},
    "response": {"code": 250, "enhanced_code": None, "content": ""},
    "feedback_report": {
        "feedback_type": "abuse", "user_agent": "SomeGenerator/1.0", "version": "1",
        "arrival_date": "2026-11-16T10:00:05Z", "incidents": None, "original_envelope_id": None,
        "original_mail_from": "<bounces@shop.example>", "source_ip": "192.0.2.8",
        "reporting_mta": {"mta_type": "dns", "name": "mail.one.example"},
        "authentication_results": ["mail.one.example; spf=pass"], "original_rcpto_to": ["<user@one.example>"],
        "reported_domain": ["shop.example"], "reported_uri": [], "original_message": HEADER,
        "extensions": {"removal-recipient": ["user@one.example"]},
        "supplemental_trace": {"_@_": "\\_/", "recipient": "ann@one.example", "spool_id": "0f1e2d3c4b5a11ed"},
    },
}  # fmt: skip


def read(*records: dict[str, Any] | str) -> list[Found]:
    lines = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in records)
    return list(read_reports(io.BytesIO(lines.encode()), "records"))


def only(record: dict[str, Any]) -> Failure:
    (found,) = read(record)
    assert isinstance(found, Failure), found
    return found


def test_a_late_bounce_names_the_mail_by_its_envelope_and_what_it_answers() -> None:
    found = only(OOB)
    assert (found.domain, found.at) == ("shop.example", AT * 1000)
    assert (found.mail.recipients, found.mail.message_id) == (("ann@one.example",), "<s1@shop.example>")
    assert found.mail.bounce == Bounce(
        sender="bounces@shop.example", code=550, enhanced_code="5.1.1", reply="user unknown"
    )
    assert found.data["reply"] == "550 5.1.1 user unknown"
    assert found.mail.reporter == "mx.one.example"


def test_the_last_of_references_is_what_a_report_answers_and_case_of_names_is_nothing() -> None:
    told = {**OOB, "headers": {"REFERENCES": "<first@shop.example>\r\n <s1@shop.example>"}}
    assert only(told).mail.message_id == "<s1@shop.example>"
    assert only({**OOB, "headers": {}}).mail.message_id == ""


def test_one_report_of_two_recipients_is_two_bounces_and_a_record_told_again_is_the_same() -> None:
    first, other, again = (
        only({**OOB, "recipient": name}) for name in ("a@one.example", "b@one.example", "a@one.example")
    )
    assert first.digest == again.digest != other.digest


def test_feedback_names_the_mail_by_the_enclosed_header_and_the_trace() -> None:
    found = only(FEEDBACK)
    assert (found.domain, found.mail.feedback_type, found.at) == ("shop.example", "abuse", 1_794_823_205_000)
    assert found.mail.message_id == "<s1@shop.example>"
    assert found.mail.recipients[:2] == ("ann@one.example", "user@one.example")
    assert found.mail.ids[:2] == ("0f1e2d3c4b5a11ed", "0f1e2d3c4b5a11ed940250ebf67f93bd")
    assert (found.mail.subject, found.mail.reporter) == ("Sale", "mail.one.example")
    assert found.data["source_ip"] == "192.0.2.8"


def test_feedback_without_the_mail_is_of_the_domain_whose_loop_it_is() -> None:
    bare = {"feedback_type": "abuse", "version": 1, "original_message": None, "supplemental_trace": None}
    assert only({**FEEDBACK, "feedback_report": bare}).domain == "shop.example"
    list_of = only({**FEEDBACK, "feedback_report": bare, "recipient": ["fbl@mail.shop.example"]})
    assert list_of.domain == "mail.shop.example"


def test_a_log_of_records_gives_its_reports_and_says_which_line_is_none() -> None:
    found = read({**OOB, "type": "Delivery"}, OOB, '{"type": "OOB"', {**OOB, "sender": ""}, FEEDBACK)
    assert [type(each) for each in found] == [Failure, Unread, Unread, Failure]
    assert [each.name for each in found] == ["records: line 2", "records: line 3", "records: line 4", "records: line 5"]


@pytest.mark.parametrize(
    "broken",
    [
        {**OOB, "timestamp": "yesterday"},
        {**OOB, "timestamp": 1e300},
        {**OOB, "response": "550"},
        {**FEEDBACK, "feedback_report": None},
        {**FEEDBACK, "feedback_report": {"version": 1}},
        {**FEEDBACK, "feedback_report": {"feedback_type": "abuse", "arrival_date": "never"}},
    ],
)
def test_a_record_that_cannot_be_read_is_said(broken: dict[str, Any]) -> None:
    (found,) = read(broken)
    assert isinstance(found, Unread)
    assert found.reason


def test_records_of_other_types_alone_are_no_reports() -> None:
    (found,) = read({**OOB, "type": "Bounce"})
    assert isinstance(found, Unread)
    assert "none is of type OOB or Feedback" in found.reason
