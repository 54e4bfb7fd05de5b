"""The text of single lines, and what a queue id tells of its birth."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.postfix import records
from mailvane.maillog.postfix.records import (
    Client,
    creation_time,
    named_queue_id,
    read_active,
    read_attempt,
    read_client,
    read_notification,
    read_refusal,
    read_reply,
    read_submission,
    read_tls,
)
from mailvane.maillog.queue_id import is_queue_id


@pytest.mark.parametrize("text", ["0F5383", "3C0F52A1B7D4", "4XcDr52kQnz2xGh", "48rT2v1hQrz1J0N"])
def test_queue_ids_are_recognised(text: str) -> None:
    assert is_queue_id(text)


@pytest.mark.parametrize("text", ["", "NOQUEUE", "warning", "0F538", "3c0f52a1b7d4", "statistics", "4XcDr52kQn"])
def test_other_words_are_no_queue_ids(text: str) -> None:
    assert not is_queue_id(text)


def test_a_long_queue_id_tells_its_moment_and_a_short_one_the_fraction_of_its_second() -> None:
    seconds, micros = 1_791_626_400, 123_456
    assert creation_time(_base52(seconds, 6) + _base52(micros, 4) + "z3xK") == (seconds * 1000 + 123, 123)
    assert creation_time(f"{micros:05X}1A2B3C") == (None, 123)
    assert creation_time("FFFFF1A2B3C") == (None, None)


def _base52(value: int, width: int) -> str:
    digits = ""
    while value or len(digits) < width:
        value, digit = divmod(value, 52)
        digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"[digit] + digits
    return digits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("client=h.example[192.0.2.1]", Client("h.example", "192.0.2.1", "", "", "", "")),
        ("client=unknown[2001:db8::1]:4242", Client("unknown", "2001:db8::1", "", "", "", "")),
        ("client=unknown[unknown]", Client("unknown", "unknown", "", "", "", "")),
        ("client=h[192.0.2.1], sasl_method=LOGIN, sasl_username=ann, of sales",
         Client("h", "192.0.2.1", "ann, of sales", "", "", "")),
        ("client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=ann, sasl_sender=x@example.org",
         Client("h", "192.0.2.1", "ann", "", "", "")),
        ("client=l[127.0.0.1], orig_queue_id=1A2B3C4D5E, orig_client=h[192.0.2.1]",
         Client("l", "127.0.0.1", "", "1A2B3C4D5E", "h", "192.0.2.1")),
    ],
)  # fmt: skip
def test_a_client_is_read(text: str, expected: Client) -> None:
    assert read_client(text) == expected


def test_a_submission_is_read() -> None:
    assert read_submission("uid=0 from=<root>") == ("0", "root", "")
    assert read_submission("uid=0 from=<root> orig_id=1A2B3C4D5E") == ("0", "root", "1A2B3C4D5E")


def test_an_active_mail_is_read() -> None:
    assert read_active("from=<a@b>, size=10, nrcpt=2 (queue active)") == ("a@b", 10, 2)
    assert read_active('from=<"x>, size=1"@b>, size=10, nrcpt=2 (queue active)') == ('"x>, size=1"@b', 10, 2)
    assert read_active("from=<a@b>, status=expired, returned to sender") is None


def test_an_attempt_is_read_whatever_its_age() -> None:
    old = read_attempt("to=root@localhost, orig_to=root, relay=local, delay=0.5, status=sent (delivered to mailbox)")
    assert old is not None
    assert (old.recipient, old.original_recipient, old.relay, old.delay) == ("root@localhost", "root", "local", 500)
    new = read_attempt(
        "to=<a@b>, relay=mx.b[192.0.2.1]:25, conn_use=3, delay=1.5, delays=1/0/0/0.5, tls=dane/requiretls, dsn=2.1.5, "
        "status=sent (250 2.0.0 Ok (really))"
    )
    assert new is not None
    assert (new.relay, new.address, new.tls, new.enhanced_code) == ("mx.b", "192.0.2.1", "dane/requiretls", "2.1.5")
    assert (new.code, new.reply) == (250, "250 2.0.0 Ok (really)")


@pytest.mark.parametrize("cached", ["", "[CACHED] "])
def test_a_login_that_was_refused_has_the_code_of_the_refusal(cached: str) -> None:
    said = f"SASL {cached}authentication failed; server mx.b[192.0.2.1] said: 535 5.7.8 Error: authentication failed"
    told = read_attempt(
        f"to=<a@b>, relay=mx.b[192.0.2.1]:587, delay=1, delays=1/0/0/0, dsn=4.7.8, status=deferred ({said})"
    )
    assert told is not None
    assert (told.code, told.enhanced_code, told.reply) == (535, "4.7.8", said)


def test_the_words_of_the_other_host_are_told_from_those_of_postfix() -> None:
    suspended = read_attempt(
        "to=<a@b>, relay=none, delay=1, delays=1/0/0/0, dsn=4.7.0, status=deferred (delivery temporarily suspended: "
        "host mx.b[192.0.2.1] refused to talk to me: 421 4.7.0 go away (now))"
    )
    assert suspended is not None
    assert (suspended.relay, suspended.address) == ("mx.b", "192.0.2.1")
    assert (suspended.code, suspended.enhanced_code, suspended.reply) == (421, "4.7.0", "421 4.7.0 go away (now)")
    own = read_attempt(
        "to=<a@b>, relay=none, delay=1, delays=1/0/0/0, dsn=5.4.4, status=bounced (Host or domain name not found)"
    )
    assert own is not None
    assert (own.relay, own.address, own.code, own.reply) == ("", "", 0, "Host or domain name not found")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 no", (550, "5.1.1")),
        ("550-5.1.1 no", (550, "5.1.1")),
        ("421", (421, "")),
        ("451 4.7.500 busy", (451, "4.7.500")),
        ("550 #5.1.0 no", (550, "5.1.0")),
        ("5.7.1 no", (0, "5.7.1")),
        ("1234 no", (0, "")),
        ("no", (0, "")),
    ],
)
def test_codes_stand_at_the_start_of_a_reply(reply: str, expected: tuple[int, str]) -> None:
    assert read_reply(reply) == expected


def test_the_last_relay_that_speaks_names_the_queue_id() -> None:
    assert named_queue_id("250 2.0.0 from MTA(smtp:[::1]:10025): 250 2.0.0 Ok: queued as 1A2B3C4D5E") == "1A2B3C4D5E"
    assert named_queue_id("forwarded as 4XcDr52kQnz2xGh") == "4XcDr52kQnz2xGh"
    assert named_queue_id("250 ok") == ""


def test_a_refusal_is_read_though_its_text_looks_like_its_end() -> None:
    refusal = read_refusal(
        "reject: RCPT from h[192.0.2.1]: 554 5.7.1 Blocked; from=<no> one; see http://x/?a=1; "
        "from=<s@b> to=<r@c> proto=ESMTP helo=<h>"
    )
    assert refusal is not None
    assert refusal.reply == "554 5.7.1 Blocked; from=<no> one; see http://x/?a=1"
    assert (refusal.sender, refusal.recipient, refusal.protocol) == ("s@b", "r@c", "ESMTP")
    assert (refusal.verdict, refusal.stage, refusal.code, refusal.client_ip) == ("reject", "RCPT", 554, "192.0.2.1")


@pytest.mark.parametrize("text", ["warn: RCPT from h[1.2.3.4]: x; from=<a>", "info: header Subject: x", "", "reject"])
def test_what_lets_a_mail_pass_is_no_refusal(text: str) -> None:
    assert read_refusal(text) is None


def test_notifications_and_encryption_are_read() -> None:
    assert read_notification("postmaster non-delivery notification: 1A2B3C4D5E") == "1A2B3C4D5E"
    assert read_notification("queued") == ""
    assert read_tls("Trusted TLS connection reused to mx.b[192.0.2.1]:25: TLSv1.3 with cipher X (1/1 bits)") == (
        "mx.b[192.0.2.1]:25",
        "TLSv1.3",
    )


READERS = [value for name, value in vars(records).items() if name.startswith("read_")]
PREFIXES = [
    "",
    "client=h[1.2.3.4]",
    "uid=0 from=<",
    "from=<a>, size=",
    "to=<a>, relay=",
    "reject: RCPT from h[1]: ",
    "; from=<",
]


@given(st.sampled_from(READERS), st.sampled_from(PREFIXES), st.text())
def test_no_text_is_too_strange(read: Callable[[str], object], prefix: str, text: str) -> None:
    read(prefix + text)
    creation_time(text)
    is_queue_id(text)


@pytest.mark.parametrize("read", READERS)
def test_no_text_takes_long_to_refuse(read: Callable[[str], object]) -> None:
    for piece in ("; from=<", " from x[", "to=<a>, ", ", sasl_username=", "said: ", "queued as ", "(", "<", ": "):
        read("client=a[1], sasl_method=x" + piece * 3000)
        read("to=<a>, relay=none, delay=1, status=deferred (host x[1] said: " + piece * 3000)
        read("reject: RCPT from a[1]: " + piece * 3000)
        read("reject: header Subject: " + piece * 3000)
