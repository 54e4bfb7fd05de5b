"""Questions and answers as bytes: what is written dnspython understands, what is read is what dnspython reads."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailvane.core.dns import wire

NAME = "9.2.0.192.bl.example"
ASKED = wire.questions(wire.labels("9.2.0.192"), wire.endings(("bl.example",), wire.A))[0]
READERS = {"A": wire.addresses_in, "TXT": wire.texts_in, "PTR": wire.names_in}
KINDS = {"A": wire.A, "TXT": wire.TXT, "PTR": wire.PTR}


def asked(name: str, kind: str = "A") -> bytes:
    return wire.questions(wire.labels(name), wire.endings(("",), KINDS[kind]))[0]


def answer(name: str, kind: str, *records: str, code: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    """As a resolver gives it; a record is `type data`, or `owner type data`."""
    told = dns.message.make_response(dns.message.make_query(name, kind, use_edns=0), recursion_available=True)
    told.set_rcode(code)
    for text in records:
        owner, of, data = (
            text.split(" ", 2) if text.count(" ") > 1 and text.split()[1] in KINDS else (name, *text.split(" ", 1))
        )
        told.answer.append(dns.rrset.from_text(owner + ".", 60, "IN", of, data))
    return told


def read(name: str, kind: str, told: dns.message.Message | bytes) -> list[str] | wire.Trouble | None:
    data = told if isinstance(told, bytes) else told.to_wire()
    found = wire.read(data, asked(name, kind), READERS[kind])
    return found if found is None or isinstance(found, wire.Trouble) else list(found)


labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
names = st.lists(labels, min_size=1, max_size=8).map(".".join)


@given(names, st.sampled_from(sorted(KINDS)), st.binary(min_size=2, max_size=2))
def test_a_question_is_what_dnspython_would_ask(name: str, kind: str, number: bytes) -> None:
    told = dns.message.from_wire(wire.message(number, asked(name, kind)))
    (one,) = told.question
    assert (told.id, told.flags, told.edns) == (int.from_bytes(number, "big"), dns.flags.RD, 0)
    assert (one.name.to_text(omit_final_dot=True), one.rdtype, one.rdclass) == (
        name, dns.rdatatype.from_text(kind), dns.rdataclass.IN
    )  # fmt: skip


def test_one_name_is_asked_for_below_many_zones() -> None:
    found = wire.questions(wire.labels("9.2.0.192"), wire.endings(("bl.example", "a.b.example"), wire.A))
    assert found == [asked("9.2.0.192.bl.example"), asked("9.2.0.192.a.b.example")]


def test_names_of_other_scripts_and_with_escapes_are_asked_for_as_dnspython_does() -> None:
    assert wire.labels("Bücher.example.") == b"\x0dxn--bcher-kva\x07example"
    assert wire.labels("_dmarc.straße.example") == b"\x06_dmarc\x0dxn--strae-oqa\x07example"
    assert wire.labels("a\\.b.example") == b"\x03a.b\x07example"


@pytest.mark.parametrize("name", ["a..b", ".a", "x" * 64, "\\300", "é" * 64, ".".join(["x" * 60] * 5)])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(name)


@pytest.mark.parametrize(
    ("kind", "records", "found"),
    [
        ("A", [], []),
        ("A", ["A 127.0.0.2"], ["127.0.0.2"]),
        ("A", ["A 127.0.0.2", "A 127.0.0.4"], ["127.0.0.2", "127.0.0.4"]),
        ("A", ["CNAME other.example.", "other.example A 127.0.0.3"], ["127.0.0.3"]),
        ("A", ["other.example A 127.0.0.3"], []),
        ("A", ["TXT words"], []),
        ("TXT", ['TXT "seen in" " a trap"', 'TXT "and more"'], ["seen in a trap", "and more"]),
        ("TXT", ['TXT ""'], [""]),
        ("TXT", ["CNAME other.example.", 'other.example TXT "there"'], ["there"]),
        ("PTR", ["PTR MX.example."], ["mx.example"]),
    ],
)
def test_the_records_of_the_name_are_read(kind: str, records: list[str], found: list[str]) -> None:
    assert read(NAME, kind, answer(NAME, kind, *records)) == found


def test_a_name_that_is_not_there_has_no_records() -> None:
    assert read(NAME, "A", answer(NAME, "A", code=dns.rcode.NXDOMAIN)) == []
    assert read(NAME, "A", answer(NAME, "A", "A 127.0.0.2", code=dns.rcode.NXDOMAIN)) == wire.CONTRADICTORY
    chained = answer(NAME, "A", "CNAME gone.example.", code=dns.rcode.NXDOMAIN)
    assert read(NAME, "A", chained) == []


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "BADVERS"])
def test_an_answer_that_tells_nothing_says_why(code: str) -> None:
    found = read(NAME, "A", answer(NAME, "A", code=dns.rcode.from_text(code)))
    assert isinstance(found, wire.Trouble)
    assert found == code


def test_a_truncated_answer_is_not_half_believed() -> None:
    told = answer(NAME, "A", "A 127.0.0.2")
    told.flags |= dns.flags.TC
    assert read(NAME, "A", told) is wire.TRUNCATED


def test_a_referral_is_no_word_about_the_name() -> None:
    told = answer(NAME, "A")
    told.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns.example."))
    assert isinstance(read(NAME, "A", told), wire.Trouble)
    told.flags |= dns.flags.AA
    assert read(NAME, "A", told) == []


def test_only_an_answer_to_this_very_question_is_one() -> None:
    good = answer(NAME, "A", "A 127.0.0.2")
    assert read("8.2.0.192.bl.example", "A", good) is None
    assert read(NAME, "TXT", good) is None
    assert read(NAME, "A", dns.message.make_query(NAME, "A")) is None
    assert read(NAME, "A", answer(NAME.upper(), "A", "A 127.0.0.2")) == ["127.0.0.2"]
    twice = bytearray(good.to_wire())
    twice[5] = 2
    assert read(NAME, "A", bytes(twice)) is None


@given(st.binary(max_size=200))
@example(b"")
def test_noise_is_never_an_answer(data: bytes) -> None:
    if data[12 : 12 + len(ASKED)].lower() != ASKED:
        assert wire.read(data, ASKED, wire.addresses_in) is None


@given(st.binary(min_size=12, max_size=12), st.binary(max_size=120), st.sampled_from(sorted(KINDS)))
def test_noise_after_the_question_raises_nothing(head: bytes, tail: bytes, kind: str) -> None:
    head = head[:2] + b"\x81\x80\0\x01" + head[6:]
    found = wire.read(head + asked(NAME, kind) + tail, asked(NAME, kind), READERS[kind])
    assert found is not None


@given(
    st.sampled_from(["A 127.0.0.2", "A 127.0.0.2|A 127.0.0.9", "CNAME b.example.|b.example A 127.0.0.2"]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=3),
    st.integers(0, 120),
)
def test_what_a_bent_answer_says_dnspython_reads_as_well(
    records: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(answer(NAME, "A", *records.split("|")).to_wire())
    for place, value in changes:
        data[place % len(data)] = value
    bent = bytes(data[: len(data) - cut] if cut < 40 else data)
    found = wire.read(bent, ASKED, wire.addresses_in)
    if not found or isinstance(found, wire.Trouble):
        return
    try:
        told = dns.message.from_wire(bent, ignore_trailing=True)
    except dns.exception.DNSException:
        return  # it is bent behind the answer, where nothing is read
    assert isinstance(told, dns.message.QueryMessage)
    records_read = told.resolve_chaining().answer
    assert records_read is not None
    assert set(found) == {one.to_text() for one in records_read}
