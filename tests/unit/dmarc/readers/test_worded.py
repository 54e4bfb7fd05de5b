"""A failure report in words says as much as one for machines."""

from __future__ import annotations

import io

import pytest

from mailvane.dmarc.intake import Failure
from mailvane.dmarc.readers.failure import in_words
from mailvane.dmarc.readers.mails import Part
from mailvane.dmarc.readers.reading import read_reports

WORDS = """\
A message claiming to be from you has failed the published DMARC policy for your domain.

  Sender Domain: Shop.example
  Sender IP Address: 203.0.113.9
  Received Date: Thu, 01 Jan 2026 10:00:00 +0100
  SPF Alignment: yes
  DKIM Alignment: no
  DMARC Results: Quarantine, Reject

------ This is a copy of the headers that were received before the error
       was detected.

Received: from x.example (x.example [203.0.113.9])
\tby mx.other.example with esmtp
From: "Boss" <boss@shop.example>
Subject: urgent: pay
Message-ID: <x1@x.example>
"""


def mail(words: str, kind: str = "text/plain") -> bytes:
    return (
        "From: postmaster@gw.example\nSubject: DMARC failure report\nDate: Thu, 01 Jan 2026 10:15:00 +0100\n"
        f"Content-Type: multipart/report; boundary=D\n\n--D\nContent-Type: {kind}\n\n{words}--D--\n"
    ).encode()


@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_it_is_read_with_the_mail_that_it_tells_of(line: bytes) -> None:
    (found,) = read_reports(io.BytesIO(mail(WORDS).replace(b"\n", line)), "f")
    assert isinstance(found, Failure)
    assert found.domain == "shop.example"
    assert found.data == {
        "feedback_type": "auth-failure",
        "auth_failure": "dmarc",
        "delivery_result": "reject",
        "identity_alignment": "spf",
        "source_ip": "203.0.113.9",
        "arrival_date": 1_767_258_000_000,
        "reported_domains": ["Shop.example"],
        "original": {"from": '"Boss" <boss@shop.example>', "subject": "urgent: pay", "message_id": "<x1@x.example>"},
    }
    assert found.remarks == ("it is told in words alone, and was read from them",)


def test_without_a_copy_of_the_headers_it_says_what_it_says() -> None:
    found = in_words(Part(mail(WORDS.partition("------")[0])))
    assert found is not None
    assert (found.fields["Source-IP"], found.headers.keys()) == ("203.0.113.9", [])


@pytest.mark.parametrize(
    "content",
    [
        mail("Hello"),
        mail(WORDS.replace("Sender Domain", "Domain")),
        mail(WORDS.replace("  Sender", "> Sender")),
        mail(WORDS, "text/html"),
        mail("Sender Domain " * 5000),
    ],
)
def test_other_mail_is_no_report(content: bytes) -> None:
    assert in_words(Part(content)) is None
