"""The header of a mail is read as the standard library's parser reads it, however it is written."""

from __future__ import annotations

import random
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses

import pytest

from mailvane.core.mailbox import canonical_address
from mailvane.inbound.headers import read_headers

_PIECES = [
    b"From: Ann <ann@a.example>\r\n", b"from:bob@b.example\r\n", b"Subject: one\r\n two\r\n\tthree\r\n",
    b"Subject:\r\n folded\r\n", b"Subject: \t spaced  \r\n", b"X-Empty:\r\n", b"X-Colons: a:b: c\r\n", b":nameless\r\n",
    b" continues\r\n", b"\tcontinues\r\n", b"From ann@a.example Mon Jan  1 00:00:00 2026\r\n", b"Received: by a\r\n",
    b"no field\r\n", b"Sub ject: x\r\n", b"Name : x\r\n", b"X-8-bit: caf\xc3\xa9 \xff\r\n", b"\xc3\xa9: x\r\n",
    b"Message-ID: <1@a.example>\r\n", b" \r\n", b"X-Odd: \x0b\x0c\x1c\x85\r\n", b"From : x\r\n", b"!#$~: signs\r\n",
]  # fmt: skip


def as_the_library_reads_it(header: bytes) -> tuple[tuple[str, str], ...]:
    parsed = BytesHeaderParser(policy=compat32).parsebytes(header)
    return tuple(
        (name, str(value).replace("\r\n", "").replace("\n", "").replace("\r", "")) for name, value in parsed.raw_items()
    )


def test_the_fields_are_those_that_the_standard_library_finds() -> None:
    dice = random.Random(5)
    for _ in range(500):
        header = b"".join(dice.choices(_PIECES, k=dice.randint(0, 8)))
        assert read_headers(header + b"\r\nFrom: in the body\r\n").fields == as_the_library_reads_it(header), header


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("ann@a.example", "", "ann@a.example"),
        ("<ann@A.Example>", "", "ann@a.example"),
        ("Ann <Ann@A.example>", "Ann", "Ann@a.example"),
        ('"Ann" <ann@a.example>', "Ann", "ann@a.example"),
        ("Ann B Smith <ann@a.example>", "Ann B Smith", "ann@a.example"),
        ('"Smith, Ann" <ann@a.example>', "Smith, Ann", "ann@a.example"),
        ("=?utf-8?q?J=C3=BCrgen?= <j.k+tag@a.example>", "Jürgen", "j.k+tag@a.example"),
        ("Ann <ann@a.example>, Bob <bob@b.example>", "Ann", "ann@a.example"),
        ("ann@a.example (Ann)", "Ann", "ann@a.example"),
        ("Ann <ann@a.example", "Ann", "ann@a.example"),
        ("undisclosed", "", ""),
        ("", "", ""),
    ],
)
def test_the_sender_is_the_first_mailbox(written: str, name: str, address: str) -> None:
    read = read_headers(f"From: {written}\r\n\r\n".encode())
    assert (read.from_name, read.from_address) == (name, address)


def test_mailboxes_are_those_that_the_standard_library_finds() -> None:
    dice = random.Random(6)
    parts = ["Ann", "B.", '"', "<", ">", "@", "a.example", " ", ".", ",", "(", ")", "a'b", "\\", ":"]
    plainly = ["Ann ", '"Ann B" ', "", "<a@b.example>", "a.b@c", "x+y@c-d.example", "Ann B <a@b>", '"Ann <a@b>']
    for _ in range(2000):
        written = "".join(dice.choices(parts if dice.random() < 0.5 else plainly, k=dice.randint(1, 5)))
        expected = next((found for found in getaddresses([written]) if "@" in found[1]), ("", ""))
        if any(each.isspace() for each in expected[1]):
            expected = ("", "")
        read = read_headers(f"From: {written}\r\n\r\n".encode())
        assert (read.from_name, read.from_address) == (expected[0], canonical_address(expected[1])), written
