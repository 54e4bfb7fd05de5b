"""A mail is taken apart as it is written, however odd; and what is hostile costs no more than its length."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Mapping
from types import FrameType

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import Unread
from mailvane.dmarc.readers import mails
from mailvane.dmarc.readers.mails import MOST_FIELD, Part, read_header, walk
from mailvane.dmarc.readers.reading import read_reports
from tests.unit.dmarc.reports import complaint

HEAD = b"From: a@b.example\n"


def multipart(*parts: bytes, boundary: bytes = b"b", end: bytes = b"--b--\n") -> bytes:
    head = HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\npreamble\n"
    return head + b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts) + end


def contents(mail: bytes, *, into_mails: bool = True) -> list[bytes]:
    """Of what holds something itself."""
    return [part.content() for part in walk(Part(mail), into_mails=into_mails) if not part.holds_parts]


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_parts_lie_between_boundaries(line: bytes) -> None:
    mail = multipart(b"A: 1\n\none\n", b"\ntwo", b"Content-Type: text/html\n\n").replace(b"\n", line)
    assert contents(mail) == [b"one" + line, b"two", b""]


@pytest.mark.parametrize(
    ("mail", "told"),
    [
        (multipart(b"\none", end=b""), [b"one\n"]),
        (multipart(b"\none", end=b"--b-- \nepilogue\n--b\n\nno\n"), [b"one"]),
        (multipart(b"\n--bb\n --b\nx--b\n--b x"), [b"--bb\n --b\nx--b\n--b x"]),
        (multipart(b"\n--b-x\n--"), [b"--b-x\n--"]),
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\n\nno boundary", [b"no boundary"]),
        (HEAD + b"Content-Type: multipart/mixed\n\n--b\n\none\n", [b"--b\n\none\n"]),
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--", [b"one"]),
        (multipart(b"\none").replace(b"=b\n", b'="b"; x=y\n'), [b"one"]),
        (multipart(b"\none").replace(b"; boundary=b\n", b";\n\tboundary=b\n"), [b"one"]),
        (b"From x@y Thu Jan  1 00:00:00 2026\n" + multipart(b"\none"), [b"one"]),
        (HEAD + b"no field at all\nmore", [b"no field at all\nmore"]),
        (HEAD, [b""]),
        (b"", [b""]),
    ],
)
def test_what_is_not_as_it_should_be_is_read_as_it_is_meant(mail: bytes, told: list[bytes]) -> None:
    assert contents(mail) == told


def test_an_outer_boundary_ends_what_is_within() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=bi\n\n--bi\n\nin\n--bi\n\nlast"
    assert contents(multipart(inner, b"\nout")) == [b"in", b"last", b"out"]


def test_an_enclosed_mail_is_opened_where_it_is_asked_for_also_when_it_is_encoded() -> None:
    inner = multipart(b"\nin")
    encoded = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(inner)
    for part in (b"Content-Type: message/rfc822\n\n" + inner, encoded):
        mail = multipart(part, boundary=b"outer", end=b"--outer--\n")
        assert contents(mail) == [b"in"]
        assert [part.kind for part in walk(Part(mail), into_mails=False)] == ["multipart/mixed", "message/rfc822"]


@pytest.mark.parametrize(
    ("encoding", "content", "told"),
    [
        (b"base64", b"YWJj\nZGVm\n", b"abcdef"),
        (b" BASE64 ", b"YW Jj\n!ZGVm", b"abcdef"),
        (b"base64", b"YWJjZA", b"abcd"),
        (b"base64", b"YWJjZ", b"abc"),
        (b"base64", b"", b""),
        (b"quoted-printable", b"a=3Db=\nc", b"a=bc"),
        (b"x-uuencode", b"begin 644 f\n#86)C\n`\nend\n", b"abc"),
        (b"7bit", b"a=3Db", b"a=3Db"),
        (b"x-odd", b"abc", b"abc"),
    ],
)
def test_a_transfer_encoding_is_undone_as_far_as_it_can_be(encoding: bytes, content: bytes, told: bytes) -> None:
    assert Part(HEAD + b"Content-Transfer-Encoding: " + encoding + b"\n\n" + content).content() == told


def test_fields_are_joined_cut_and_decoded() -> None:
    data = (
        b"A: one\r\n\ttwo\r\nB : x\r\nC: \xc3\xbc\xff\r\nD: "
        + b"d" * 20_000
        + b"\r\n"
        + b" e" * 20_000
        + b"\r\n\r\nbody"
    )
    headers, begins = read_header(data)
    assert (headers["A"], headers["B"], headers["C"]) == ("one\ttwo", "x", "ü\N{REPLACEMENT CHARACTER}")
    assert len(headers["D"]) == MOST_FIELD
    assert data[begins:] == b"body"


@pytest.mark.parametrize(
    ("more", "name"),
    [(b"name=r.xml", "r.xml"), (b"name*=utf-8''%C3%BC", "ü"), (b"name*=\0'x'a", ""), (b"name*=\xff'x'%ff", "ÿ")],
)
def test_a_name_is_told_as_far_as_it_can_be_read(more: bytes, name: str) -> None:
    assert Part(HEAD + b"Content-Type: application/xml; " + more + b"\n\n").filename == name


def nested(depth: int) -> bytes:
    heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    return HEAD + heads + b"\nhello\n" + b"line\n" * depth


def arf(**original: bytes) -> bytes:
    fields = b"".join(name.replace("_", "-").encode() + b": " + value + b"\n" for name, value in original.items())
    return complaint("Feedback-Type: abuse\nReported-Domain: shop.example\n", "@@").replace(b"@@", fields + b"\n")


def typed(kind: bytes, content: bytes = b"hi\n") -> bytes:
    return HEAD + b"Content-Type: " + kind + b"\n\n" + content


# Whatever a stranger may write, so many times. What is told of it: a part of the reason, or nothing when it is read.
HOSTILE: Mapping[str, tuple[Callable[[int], bytes], str]] = {
    "From of parentheses": (lambda n: arf(From=b"(" * n + b"a@b.example"), ""),
    "original sender of parentheses": (
        lambda n: complaint("Feedback-Type: abuse\nReported-Domain: a.example\nOriginal-Mail-From: " + "(" * n), ""
    ),
    "date of parentheses": (lambda n: arf(Date=b"(" * n, From=b"a@b.example"), ""),
    "nested comments": (lambda n: arf(From=b"(" * n + b")" * n + b"<a@b.example>"), ""),
    "address of angles": (lambda n: arf(From=b"<" * n + b"a@b.example>"), ""),
    "address of quotes": (lambda n: arf(From=b'"\\' * n + b"a@b.example"), ""),
    "source address of parentheses": (
        lambda n: complaint("Feedback-Type: abuse\nReported-Domain: a.example\nSource-IP: " + " (" * n), ""
    ),
    "encoded words": (lambda n: arf(Subject=b"=?utf-8?q?a?= " * n), ""),
    "encoded words without an end": (lambda n: arf(Subject=b"=?utf-8?q?" * n), ""),
    "encoded words of charsets that are none": (lambda n: arf(Subject=b"=?\0x?b?////?= " * n), ""),
    "multiparts in multiparts": (nested, "deep"),
    "mails in mails": (lambda n: HEAD + b"Content-Type: message/rfc822\n\n" * n + b"hi\n", "deep"),
    "mails in mails in base64": (
        lambda n: HEAD + b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" * n + b"hi\n", ""
    ),
    "digests in digests": (
        lambda n: HEAD + b"Content-Type: multipart/digest; boundary=b\n\n--b\n" * n + b"\nhi\n", ""
    ),
    "an endless header line": (lambda n: HEAD + b"Subject: " + b"a" * 100 * n + b"\n\nhi\n", ""),
    "a header that does not end": (lambda n: b"From: " + b"a" * 100 * n, ""),
    "very many fields": (lambda n: b"X-A: b\n" * n + b"\nhi\n", "more than 2,000 fields"),
    "very many folded lines": (lambda n: b"Content-Type: text/plain\n" + b" ;a=b\n" * n + b"\nhi\n", ""),
    "empty folded lines": (lambda n: HEAD + b" \n" * n + b"\nhi\n", ""),
    "very many parameters": (lambda n: typed(b"text/xml; " + b";".join(b"p%d=v" % k for k in range(n))), ""),
    "very many pieces of one parameter": (
        lambda n: typed(b"text/xml; " + b";".join(b"name*%d=v" % k for k in range(n))), ""
    ),
    "very many quotes": (lambda n: typed(b'multipart/mixed; boundary="' + b'\\";' * n), ""),
    "a huge boundary": (lambda n: typed(b"multipart/mixed; boundary=" + b"b" * n, b"--" + b"b" * n + b"\n\nhi\n"), ""),
    "lines that are nearly boundaries": (lambda n: typed(b"multipart/mixed; boundary=b", b"--bb\n--b-\n -" * n), ""),
    "boundaries within lines": (lambda n: typed(b"multipart/mixed; boundary=b", b" --b\n" * n), ""),
    "very many parts": (lambda n: typed(b"multipart/mixed; boundary=b", b"--b\n\nx\n" * n), "more than 100 parts"),
    "very many empty parts": (lambda n: typed(b"multipart/mixed; boundary=b", b"--b\n" * n), "more than 100 parts"),
    "very many short lines of base64": (
        lambda n: typed(b"text/xml\nContent-Transfer-Encoding: base64", b"P\n" * n), ""
    ),
    "soft line breaks": (lambda n: typed(b"text/xml\nContent-Transfer-Encoding: quoted-printable", b"=\n" * n), ""),
    "uuencoded lines": (
        lambda n: typed(b"text/xml\nContent-Transfer-Encoding: x-uuencode", b"begin 644 a\n" + b"M!\n" * n), ""
    ),
    "a name in a charset that is none": (lambda n: typed(b"application/xml; name*=\0'x'" + b"a" * n), ""),
}  # fmt: skip


def work_of(content: bytes) -> tuple[int, list[str]]:
    """How many lines of Python reading takes, ours and the library's; and why something was refused."""
    count = 0

    def traced(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)  # type: ignore[arg-type]
    try:
        found = list(read_reports(io.BytesIO(content), "f"))
    finally:
        sys.settrace(before)
    return count, [each.reason for each in found if isinstance(each, Unread)]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_or_read_by_work_that_grows_no_faster_than_it(name: str) -> None:
    make, reason = HOSTILE[name]
    once, told = work_of(make(3000))
    twice, _ = work_of(make(6000))
    assert not any("made the reader fail" in each for each in told)
    assert reason in "; ".join(told)
    assert twice < 2.2 * once + 1000


def test_many_fields_and_long_headers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 262,144 bytes"):
        Part(b"A: " + b"a" * 300_000)
    with pytest.raises(InvalidInput, match="more than 262,144 bytes"):
        Part(b"A: b\n" + b" c\n" * 100_000)
    with pytest.raises(InvalidInput, match="more than 2,000 fields"):
        Part(b"A: b\n" * 2001)
    assert len(Part(b"A: b\n" * 2000).headers.items()) == 2000


def test_so_many_levels_are_gone_into_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "MOST_DEPTH", 3)
    assert contents(nested(2))[0].startswith(b"hello")
    with pytest.raises(InvalidInput, match="more than 3 deep"):
        contents(nested(4))
