"""Header values come out of the log line as a person would read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.automatic import says_automatic
from mailvane.maillog.postfix.headers import header_address, header_ids, header_text, read_header

TAIL = "; from=<a@example.org> to=<b@example.net> proto=ESMTP helo=<x>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"header Subject: Hello from h.example[192.0.2.1]{TAIL}", ("subject", "Hello", "ESMTP")),
        (f"header Subject: Greetings from Rome from h[192.0.2.1]{TAIL}", ("subject", "Greetings from Rome", "ESMTP")),
        (f"header Subject: x from y[1.2.3.4]; from=<q> from h[192.0.2.1]{TAIL}",
         ("subject", "x from y[1.2.3.4]; from=<q>", "ESMTP")),
        ("header Subject: local from local; from=<a@example.org> to=<b@example.net>", ("subject", "local", "")),
        (f"header Subject: noted from h[2001:db8::1]{TAIL}: seen by rule 7", ("subject", "noted", "ESMTP")),
        (f"header Subject:  from unknown[192.0.2.1]{TAIL}", ("subject", "", "ESMTP")),
        ("header From: a from h[192.0.2.1]; from=<> to=<b@example.net> proto=SMTP helo=<x>", ("from", "a", "SMTP")),
    ],
)  # fmt: skip
def test_a_header_is_cut_out_of_its_line(text: str, expected: tuple[str, str, str]) -> None:
    header = read_header(text)
    assert header is not None
    assert (header.name, header.value, header.protocol) == expected
    assert header.sender == ("" if "from=<>" in text else "a@example.org")


@pytest.mark.parametrize("text", ["", "header", "body foo from h[192.0.2.1]; from=<a>", "header Subject: never closed"])
def test_what_is_no_header_is_left_alone(text: str) -> None:
    assert read_header(text) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?w6TDtsO8?= and =?iso-8859-1?q?=E9t=E9?=", "äöü and été"),
        ("=?utf-8?Q?one_?=? =?utf-8?Q?two?=", "one two"),
        ("=?utf-8?Q?one_?= =?utf-8?Q?two?=", "one two"),
        (
            "a subject that goes on for so long that it had to be? folded",
            "a subject that goes on for so long that it had to be folded",
        ),
        ("folded\n as syslog never shows it", "folded as syslog never shows it"),
        ("Really? Yes", "Really? Yes"),
        ("really?yes", "really?yes"),
        ("=?utf-8?B?w6TDtsO8?= =?utf-8?B?w6TDtsO", "äöü"),  # Postfix cut it after 200 characters
        ("=?no-such-charset?Q?=41bc?=", "Abc"),
        ("=?utf-8?B?!!!?=", "=?utf-8?B?!!!?="),
    ],
)
def test_a_subject_reads_as_it_was_written(value: str, expected: str) -> None:
    assert header_text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann@Example.ORG", "ann@example.org"),
        ('"Ann, of <Sales>" <Ann@EXAMPLE.org>', "Ann@example.org"),
        ("=?utf-8?Q?J=C3=BCrgen?= <j@example.org>", "j@example.org"),
        ("Ann <ann@example.org>, Bob <bob@example.org>", "ann@example.org"),
        ("Ann? <ann@example.org>", "ann@example.org"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_an_address_header_is_reduced_to_the_bare_address(value: str, expected: str) -> None:
    assert header_address(value) == expected


def test_references_stand_on_one_line() -> None:
    assert header_ids("<a@x>?\t<b@x>?  <c@x>") == "<a@x> <b@x> <c@x>"


@given(st.text())
def test_no_header_is_too_strange(text: str) -> None:
    read_header(text)
    read_header(f"header Subject: {text} from h[192.0.2.1]{TAIL}")
    header_text(text)
    header_text(f"=?utf-8?B?{text}?=")
    header_address(text)
    header_ids(text)


@pytest.mark.parametrize(
    ("name", "value", "automatic"),
    [
        ("auto-submitted", "auto-replied", True),
        ("auto-submitted", "auto-generated; owner-email=x@example.org", True),
        ("auto-submitted", "no", False),
        ("auto-submitted", " No ", False),
        ("auto-submitted", "", False),
        ("x-autoreply", "yes", True),
        ("precedence", "auto_reply", True),
        ("precedence", "bulk", False),
        ("subject", "auto-replied", False),
    ],
)
def test_programs_say_that_they_wrote_a_mail(name: str, value: str, *, automatic: bool) -> None:
    assert says_automatic(name, value) is automatic
