"""The lines that we tell operators to put into their Postfix do what we say they do."""

from __future__ import annotations

import re

from tests.acceptance.conftest import running_postfix
from tests.acceptance.mail_client import Note, hand_in
from tests.acceptance.postfix_instance import PostfixInstance

TO = ("ok.1@inbox.example",)


def logged(postfix: PostfixInstance, queue_id: str) -> list[str]:
    """The headers of a mail as they stand in the log."""
    postfix.wait_for(f"{queue_id}: removed")
    start = f"{queue_id}: info: header "
    lines = [line.partition(start)[2] for line in postfix.lines() if start in line]
    return [re.sub(r" from localhost\[127\.0\.0\.1\]; from=<.*", "", line) for line in lines]


def test_the_headers_that_mailvane_shows_are_logged(postfix: PostfixInstance) -> None:
    headers = {
        "From": "Ann Example <ann@shop.example>",
        "To": "ok.1@inbox.example",
        "Subject": "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
        "Reply-To": "help@shop.example",
        "In-Reply-To": "<first@other.example>",
        "References": "<zeroth@other.example> <first@other.example>",
        "Message-ID": "<second@shop.example>",
    }
    (queue_id,) = hand_in(postfix.smtp, Note(TO, headers))
    expected = [f"{name}: {value}" for name, value in headers.items() if name not in {"To", "Message-ID"}]
    assert logged(postfix, queue_id) == expected
    assert postfix.wait_for(f"{queue_id}: message-id=<second@shop.example>")


def test_a_line_break_in_a_header_becomes_a_question_mark(postfix: PostfixInstance) -> None:
    headers = {"Subject": "=?utf-8?Q?one?=\r\n =?utf-8?Q?two?=", "From": "a@shop.example"}
    (queue_id,) = hand_in(postfix.smtp, Note(TO, headers))
    assert logged(postfix, queue_id)[0] == "Subject: =?utf-8?Q?one?=? =?utf-8?Q?two?="


def test_a_long_header_is_logged_up_to_two_hundred_bytes(postfix: PostfixInstance) -> None:
    (queue_id,) = hand_in(postfix.smtp, Note(TO, {"Subject": "x" * 900, "From": "a@shop.example"}))
    assert logged(postfix, queue_id)[0] == f"Subject: {'x' * 191}"


def test_the_headers_of_a_forwarded_mail_stay_out_of_the_log(postfix: PostfixInstance) -> None:
    headers = {"Subject": "outer", "From": "a@shop.example", "Content-Type": "message/rfc822"}
    note = Note(TO, headers, body="From: inner@other.example\r\nSubject: inner\r\n\r\nHello.\r\n")
    (queue_id,) = hand_in(postfix.smtp, note)
    assert logged(postfix, queue_id) == ["Subject: outer", "From: a@shop.example"]


def test_queue_ids_are_long_unless_told_otherwise(postfix: PostfixInstance) -> None:
    (long_id,) = hand_in(postfix.smtp, Note(TO))
    assert re.fullmatch(r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+", long_id)
    with running_postfix(extra="enable_long_queue_ids = no") as other:
        (short_id,) = hand_in(other.smtp, Note(TO))
        assert re.fullmatch(r"[0-9A-F]{6,}", short_id)


def test_postfix_finds_nothing_to_warn_of_in_the_settings(postfix: PostfixInstance) -> None:
    hand_in(postfix.smtp, Note(TO))
    postfix.wait_for(": removed")
    assert [line for line in postfix.lines() if "warning:" in line] == []
    assert "warning" not in postfix.command("postconf", "-n")
