"""Complaints and failure reports: who said what of which mail, and nothing of its text."""

from __future__ import annotations

import base64

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import Failure
from mailvane.dmarc.readers.failure import read_failure, report_part
from mailvane.dmarc.readers.mails import Part
from tests.unit.dmarc.reports import complaint, mail_with

TEN = 1_767_261_600_000  # 2026-01-01 10:00 UTC
ORIGINAL = (
    "From: =?utf-8?q?J=C3=BCrg?= <j@shop.example>\r\nSubject: Earn\r\n more\r\nMessage-ID: <1@x>\r\n\r\nSecret text"
)
FIELDS = (
    "Feedback-Type: Abuse\r\nUser-Agent: G/1\r\nVersion: 1\r\nOriginal-Mail-From: <b@bounce.shop.example>\r\n"
    "Original-Rcpt-To: <u@receiver.example>\r\nArrival-Date: Thu, 1 Jan 2026 09:00:00 +0100\r\n"
    "Reporting-MTA: dns; mx.receiver.example\r\nSource-IP: 192.0.2.1 (mail.shop.example)\r\n"
    "Authentication-Results: mx; spf=pass\r\n   smtp.mailfrom=b@bounce.shop.example\r\n"
    "Reported-Domain: Shop.Example\r\n"
    "Reported-URI: http://one.example\r\nReported-Uri: http://two.example\r\nIncidents: 3\r\nSource-Port: 4711\r\n"
)


def read(content: bytes) -> Failure:
    mail = Part(content)
    fields = report_part(mail)
    assert fields is not None
    return read_failure(mail, fields, "f")


def test_a_complaint_is_read_with_the_mail_that_it_tells_of() -> None:
    found = read(complaint(FIELDS, ORIGINAL))
    assert (found.domain, found.at) == ("shop.example", TEN - 2 * 3_600_000)
    assert found.data == {
        "feedback_type": "abuse",
        "user_agent": "G/1",
        "version": "1",
        "original_mail_from": "<b@bounce.shop.example>",
        "original_rcpt_to": "<u@receiver.example>",
        "arrival_date": TEN - 2 * 3_600_000,
        "reporting_mta": "mx.receiver.example",
        "source_ip": "192.0.2.1",
        "source_port": 4711,
        "incidents": 3,
        "authentication_results": ["mx; spf=pass smtp.mailfrom=b@bounce.shop.example"],
        "reported_domains": ["Shop.Example"],
        "reported_uris": ["http://one.example", "http://two.example"],
        "original": {"from": "Jürg <j@shop.example>", "subject": "Earn more", "message_id": "<1@x>"},
    }


def test_a_failure_of_authentication_says_which() -> None:
    fields = (
        "Feedback-Type: auth-failure\nAuth-Failure: DMARC\nDelivery-Result: reject\nIdentity-Alignment: none\n"
        'DKIM-Domain: d.example\nDKIM-Selector: s\nDKIM-Identity: @d.example\nSPF-DNS: txt : d.example : "v=spf1"\n'
    )
    found = read(complaint(fields, ORIGINAL.partition("\r\n\r\n")[0], kind="text/rfc822-headers"))
    assert found.domain == "shop.example"
    assert found.at == TEN
    told = {name: found.data[name] for name in ("auth_failure", "delivery_result", "identity_alignment")}
    assert told == {"auth_failure": "dmarc", "delivery_result": "reject", "identity_alignment": "none"}
    assert found.data["dkim_selector"] == "s"
    assert found.data["spf_dns"] == 'txt : d.example : "v=spf1"'


@pytest.mark.parametrize(
    ("fields", "original", "domain"),
    [
        ("Feedback-Type: abuse\nOriginal-Mail-From: <a@b.example>", "From: x@c.example\n\n", "c.example"),
        ("Feedback-Type: abuse\nOriginal-Mail-From: <a@b.example>", "", "b.example"),
        ("Feedback-Type: abuse\nDKIM-Domain: D.example", "From: nobody\n\n", "d.example"),
    ],
)
def test_the_domain_is_what_the_mail_came_from_as_far_as_is_said(fields: str, original: str, domain: str) -> None:
    assert read(complaint(fields, original)).domain == domain


def test_the_same_report_has_the_same_digest_however_it_travelled() -> None:
    one, again = complaint(FIELDS, ORIGINAL), b"Received: from elsewhere\r\n" + complaint(FIELDS, ORIGINAL)
    other = complaint(FIELDS, ORIGINAL.replace("<1@x>", "<2@x>"))
    assert read(one).digest == read(again).digest
    assert read(one).digest != read(other).digest


def test_fields_in_base64_or_in_plain_text_are_found() -> None:
    encoded = base64.encodebytes(FIELDS.encode()).decode()
    head = "Content-Type: message/feedback-report\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    content = complaint(FIELDS, ORIGINAL).decode()
    packed = content.replace(f"Content-Type: message/feedback-report\r\n\r\n{FIELDS}", head + encoded)
    assert packed != content
    assert read(packed.encode()).data["source_ip"] == "192.0.2.1"
    assert read(content.replace("message/feedback-report", "text/plain").encode()).data["source_ip"] == "192.0.2.1"


def test_a_complaint_inside_a_forwarded_mail_is_nobody_elses() -> None:
    forwarded = mail_with(("application/octet-stream", "x.eml", complaint(FIELDS)))
    assert report_part(Part(forwarded)) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [("User-Agent: x", "does not say of what type"), ("Feedback-Type: abuse", "names no domain")],
)
def test_what_says_too_little_is_refused(fields: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        read(complaint(fields))


def test_impossible_values_are_passed_over() -> None:
    fields = f"{FIELDS}Incidents: -1\r\n".replace("Incidents: 3", "Incidents: many").replace("Thu, 1 Jan", "Someday")
    found = read(complaint(fields, ORIGINAL.replace("=?utf-8?q?", "=?x-none?q?")))
    assert found.at == TEN
    assert "incidents" not in found.data
    assert found.data["original"]["from"].startswith("=?x-none?q?")


@pytest.mark.parametrize(
    "word", ["=?\N{REPLACEMENT CHARACTER}tf-8?q?x?=", "=?utf-7?q?+2AA-?=", "=?utf-8?b?!?=", "=?x-none?q?x?="]
)
def test_an_encoded_word_that_is_broken_stays_something_that_can_be_stored(word: str) -> None:
    found = read(complaint(FIELDS, f"Subject: {word}\r\nFrom: j@shop.example\r\n\r\n"))
    subject = found.data["original"]["subject"]
    assert subject == subject.encode("utf-8", "replace").decode()
    assert found.domain == "shop.example"


def test_what_helps_to_find_the_mail_is_told_of_every_place_that_has_it() -> None:
    original = (
        "Received: from mx1.shop.example (mx1 [192.0.2.1]) by mx.receiver.example\r\n with ESMTP id abc123DEF\r\n"
        " for <U@Receiver.Example>; Thu, 1 Jan 2026 09:00:00 +0100\r\n"
        "Received: by mx1.shop.example (Postfix, from userid 33)\r\n\tid 6BB23A2D3; Thu, 1 Jan 2026 09:00:00 +0100\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256;\r\n\td=Sign.Example; s=x; bh=d=no; b=z\r\n"
        "Feedback-ID: 19b7a1c3e000000abc:campaign7:x\r\nFrom: News <n@Shop.Example>\r\n"
        "To: a@one.example, B <b@two.example>\r\n"
        "X-HmXmrOriginalRecipient: hm@live.example\r\nSubject: Sale\r\nMessage-ID: m1@shop.example\r\n\r\n"
    )
    fields = "Feedback-Type: Abuse\r\nOriginal-Rcpt-To: <r@receiver.example>\r\nOriginal-Envelope-Id: QQ77RR\r\n"
    mail = read(complaint(fields, original)).mail
    assert (mail.feedback_type, mail.message_id, mail.subject) == ("abuse", "<m1@shop.example>", "Sale")
    assert mail.ids == ("19b7a1c3e000000abc", "campaign7", "QQ77RR", "abc123DEF", "6BB23A2D3")
    assert mail.recipients == (
        "r@receiver.example", "hm@live.example", "a@one.example", "b@two.example", "U@receiver.example",
    )  # fmt: skip
    assert mail.domains == ("shop.example", "sign.example")
    assert (mail.reported_at, mail.arrived_at) == (TEN, 0)


def test_reports_are_told_apart_by_their_own_message_ids_and_not_by_how_they_come() -> None:
    one = complaint("Feedback-Type: abuse\r\n", ORIGINAL)
    again, other = (b"Message-ID: <%d@fbl>\r\n" % number + one for number in (1, 2))
    assert read(again).digest == read(b"Received: by mx\r\n" + again).digest
    assert len({read(each).digest for each in (one, again, other)}) == 3
