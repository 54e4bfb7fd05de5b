"""Mailboxes as people write them in settings, and as they leave in messages."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import Mailbox, read_mailbox


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("alerts@example.com", "", "alerts@example.com"),
        ("Mailvane <alerts@example.com>", "Mailvane", "alerts@example.com"),
        ("<alerts@Example.COM>", "", "alerts@example.com"),
        ('"Ops, Mail" <alerts@example.com>', "Ops, Mail", "alerts@example.com"),
        (r'"The \"Ops\"" <alerts@example.com>', 'The "Ops"', "alerts@example.com"),
        ("J. R. Ops <alerts@example.com>", "J. R. Ops", "alerts@example.com"),
        ("Jürgen Büro <alerts@bücher.example>", "Jürgen Büro", "alerts@xn--bcher-kva.example"),
        ("=?utf-8?q?J=C3=BCrgen?= <alerts@example.com>", "Jürgen", "alerts@example.com"),
        ("監視 <alerts@straße.example>", "監視", "alerts@xn--strae-oqa.example"),
        ("alerts@example.com (of the relay)", "", "alerts@example.com"),
        ('"two words"@example.com', "", '"two words"@example.com'),
        ("mailvane@localhost", "", "mailvane@localhost"),
        ("jürgen@example.com", "", "jürgen@example.com"),
        ("root@[192.0.2.1]", "", "root@[192.0.2.1]"),
        ("root@[IPv6:2001:DB8::1]", "", "root@[IPv6:2001:db8::1]"),
    ],
)
def test_a_mailbox_is_a_name_and_an_address(written: str, name: str, address: str) -> None:
    found = read_mailbox(written)
    assert (found.name, found.address) == (name, address)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "x",
            "<>",
            "@example.com",
            "alerts@",
            "alerts",
            '"alerts@example.com"',
            "Mailvane alerts@example.com",
        ),
        *("a@example.com, b@example.com", "Team: a@example.com;", "Team:;", "Ops, Mail <alerts@example.com>"),
        *("Ops <alerts@example.com", "Ops <alerts@example.com> x", "<a@example.com> <b@example.com>"),
        *("a@b@example.com", "a@-b.example", "a@b..example", "a@[x]", "a@[192.0.2.300]", "a b@example.com"),
        *("a@example.com\r\nBcc: b@example.com", "=?utf-8?q?a=0D=0ABcc=3A_x?= <a@example.com>", "a\0@example.com"),
        *("x" * 65 + "@example.com", "a@" + "x" * 64 + ".example", "(" * 900, '"' * 900, "<" * 900, "x" * 2000),
    ],
)
def test_what_is_no_mailbox_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput):
        read_mailbox(written)


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=120).filter(
    lambda name: name.isprintable() and name == " ".join(name.split()) and "=?" not in name
)
LOCALS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)


@given(NAMES, LOCALS)
def test_whatever_the_name_the_message_shows_the_address_and_nothing_else(name: str, local: str) -> None:
    mailbox = Mailbox(name, local, "example.com")
    message = EmailMessage(policy=SMTP)
    message["From"] = mailbox.header("Mailvane")
    message.set_content("x")
    read = message_from_bytes(message.as_bytes(), policy=default)
    (shown,) = read["From"].addresses
    assert (shown.username, shown.domain) == (local, "example.com")
    assert shown.display_name == (name or "Mailvane")
    assert set(read.keys()) == set(message.keys())


@given(st.text(max_size=60))
def test_any_text_is_a_mailbox_or_refused(text: str) -> None:
    try:
        found = read_mailbox(text)
    except InvalidInput:
        return
    assert read_mailbox(found.address).address == found.address
