"""What is nearly a report becomes one, as it was meant; what was cut off does not."""

from __future__ import annotations

import io
from xml.etree.ElementTree import XML

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.dmarc.readers.aggregate import read_aggregate
from mailvane.dmarc.readers.repair import BYTES, CHARACTERS, OUTSIDE, UNCLOSED, UNESCAPED, repaired
from tests.unit.dmarc.reports import aggregate, record

PLAIN = aggregate(record(count=7), organisation="@@")


def of(name: bytes) -> bytes:
    """A report of an organisation of that name."""
    return PLAIN.replace(b"@@", name)


def read(content: bytes) -> tuple[str, int, list[str]]:
    """Organisation, messages, and what was changed."""
    found = repaired(content)
    assert found is not None
    head = read_aggregate(io.BytesIO(found[0]), lambda _row: None)
    return head.organisation, head.tally.counts.messages, found[1]


@pytest.mark.parametrize(
    ("written", "meant", "changed"),
    [
        (b"Caf\xe9", "Caf�", BYTES),
        (b"Caf\xc3", "Caf�", BYTES),
        (b"M\x07il", "M�il", CHARACTERS),
        (b"M&#7;il", "M�il", CHARACTERS),
        (b"M&#xFFFF;&#xD800;&#1234567;il", "M���il", CHARACTERS),
        (b"Miller & Sons", "Miller & Sons", UNESCAPED),
        (b"https://a.example/?a=1&b=2&copy=3", "https://a.example/?a=1&b=2&copy=3", UNESCAPED),
        (b"AT&T &amp; &lt;us&gt; &#252; &uuml;", "AT&T & <us> ü ü", UNESCAPED),
        (b"&mail; &", "&mail; &", UNESCAPED),
        (b"Postmaster <post@uni.example>", "Postmaster <post@uni.example>", UNESCAPED),
        (b"<>", "<>", UNESCAPED),
        (b"a < b <", "a < b <", UNESCAPED),
        (b"Max <Mustermann> Mail", "Max  Mail", UNCLOSED),
        (b"Max </b> Mail", "Max  Mail", UNCLOSED),
        (b"<!-- no end", "<!-- no end", UNESCAPED),
    ],
)
def test_what_somebody_did_not_escape_is_taken_as_it_is_meant(written: bytes, meant: str, changed: str) -> None:
    assert read(of(written)) == (meant, 7, [changed])


@pytest.mark.parametrize(
    ("before", "behind", "changed"),
    [
        (b'<xs:schema xmlns:xs="http://x.example/a?b&c" targetNamespace="y">\n', b"", OUTSIDE),
        (b'"\n', b"", OUTSIDE),
        (b"", b"\0\0\0", OUTSIDE),
        (b"", b"</xs:schema>", OUTSIDE),
        (b"", b"\n-- \nsent by mail", OUTSIDE),
    ],
)
def test_what_stands_around_a_report_is_left_away(before: bytes, behind: bytes, changed: str) -> None:
    declaration, _, body = of(b"Mail").partition(b"\n")
    assert read(declaration + b"\n" + before + body + behind) == ("Mail", 7, [changed])


def test_foreign_elements_within_may_lack_their_end() -> None:
    content = of(b"Mail").replace(b"<version>", b'<x:y a="1"><version>')
    assert read(content.replace(b"<x:y", b"<xy")) == ("Mail", 7, [UNCLOSED])
    several = of(b"Caf\xe9 & Co").replace(b"<version>", b"<xy><version>")
    assert read(several + b"?") == ("Caf� & Co", 7, [BYTES, OUTSIDE, UNESCAPED, UNCLOSED])


@pytest.mark.parametrize("cut", [1, 3, 12, 60, 300, 700])
def test_what_is_cut_off_stays_so(cut: int) -> None:
    assert repaired(of(b"Miller & Sons")[:-cut]) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<feedback>",
        b"<html></html>",
        of(b"&").replace(b"</row>", b""),
        of(b"&").replace(b"</record>", b""),
        of(b"&").replace(b"<record>", b""),
        of(b"Mail").decode().encode("utf-16")[:-7],
        of(b"<a>" * 200),
    ],
)
def test_where_nothing_helps_nothing_is_made_up(content: bytes) -> None:
    assert repaired(content) is None


def test_what_is_well_formed_stays_as_it_is() -> None:
    declaration, _, body = of("Käse &amp; &#x41; ".encode()).partition(b"\n")
    assert repaired(body) == (body, [])
    assert repaired(b"\xef\xbb\xbf\n" + declaration + b"\n" + body + b"\n") == (body, [])


def test_comments_and_instructions_are_left_away() -> None:
    assert read(of(b"Mail<!-- & < --><?a & ?> & Co")) == ("Mail & Co", 7, [UNESCAPED])


@given(st.text(max_size=60).filter(lambda text: "feedback" not in text))
def test_whatever_stands_in_a_name_the_result_is_well_formed_or_nothing(text: str) -> None:
    found = repaired(of(text.encode("utf-8", "surrogatepass")))
    if found is not None:
        XML(found[0])
