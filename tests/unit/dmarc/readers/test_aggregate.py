"""Aggregate reports of both generations, in any namespace and order, read by their text or as elements alike."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import XML
from xml.parsers import expat
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.counts import Counts
from mailvane.dmarc.readers.aggregate import Head, read_aggregate
from tests.depth import rounds
from tests.unit.dmarc.reports import BEGINS, ENDS, PASSING, SPF, aggregate, record

Row = dict[str, Any]


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, so that everything is cut somewhere."""

    def __init__(self, content: bytes, piece: int) -> None:
        super().__init__(content)
        self._piece = piece

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._piece)


def read(content: bytes, piece: int = 65_536) -> tuple[Head, list[Row]]:
    rows: list[Row] = []
    return read_aggregate(Dripping(content, piece), rows.append), rows


def refused(content: bytes) -> str:
    with pytest.raises(InvalidInput) as error:
        read(content)
    return error.value.message


def test_a_report_is_read_with_who_sent_it_and_what_was_published() -> None:
    head, rows = read(aggregate())
    assert (head.organisation, head.report_id, head.domain) == ("Mail Receiver", "r1", "Shop.Example")
    assert (head.begins, head.ends) == (BEGINS * 1000, ENDS * 1000)
    assert head.as_mapping() == {
        "version": "1.0",
        "metadata": {"org_name": "Mail Receiver", "email": "reports@receiver.example", "report_id": "r1"},
        "policy": {"domain": "Shop.Example", "adkim": "r", "aspf": "r", "p": "reject", "sp": "none", "pct": "100"},
    }
    assert rows == [
        {
            "source_ip": "192.0.2.1",
            "count": 1,
            "disposition": "none",
            "dkim_aligned": True,
            "spf_aligned": True,
            "header_from": "shop.example",
            "envelope_from": "bounce.shop.example",
            "dkim": [{"domain": "shop.example", "selector": "s1", "result": "pass"}],
            "spf": [{"domain": "bounce.shop.example", "scope": "mfrom", "result": "pass"}],
        }
    ]
    assert head.tally.remarks == ()


def test_messages_are_counted_by_how_they_failed() -> None:
    failing = f"<dkim>{PASSING.replace('pass', 'fail')}</dkim><spf>{SPF.replace('pass', 'softfail')}</spf>"
    head, _ = read(
        aggregate(
            record(count=1),
            record(count=10, aligned=("fail", "fail")),  # both pass, for other domains
            record(count=100, aligned=("fail", "pass")),
            record(count=1000, aligned=("pass", "fail")),
            record(count=10_000, aligned=("fail", "fail"), results=failing),
            record(count=100_000, aligned=("fail", "fail"), results=""),
        )
    )
    assert head.tally.counts == Counts(
        messages=111_111,
        spf_fail=110_000,
        dkim_fail=110_000,
        dmarc_fail=110_010,
        spf_alignment_fail=111_010,
        dkim_alignment_fail=110_110,
    )


ADDED = b"<generator>G 2</generator><error>one</error><error>two</error>"


def test_a_report_of_the_new_generation_is_read_with_what_is_new_in_it() -> None:
    content = (
        aggregate(
            record(more='<extensions><extension name="e" definition="https://e.example"><x>1</x></extension></extensions>'),
            namespace="urn:ietf:params:xml:ns:dmarc-2.0",
        )
        .replace(b"<pct>100</pct>", b"<np>reject</np><testing>Y</testing><discovery_method>treewalk</discovery_method>")
        .replace(b"</report_metadata>", ADDED + b"</report_metadata>")
        .replace(b"<disposition>none", b"<disposition>Pass")
        .replace(b"</feedback>", b'<extensions><extension name="f"/></extensions><unknown>?</unknown></feedback>')
    )  # fmt: skip
    head, rows = read(content)
    assert head.namespace == "urn:ietf:params:xml:ns:dmarc-2.0"
    assert head.policy["np"] == "reject"
    assert head.policy["testing"] == "y"
    assert head.policy["discovery_method"] == "treewalk"
    assert "pct" not in head.policy
    assert head.metadata["generator"] == "G 2"
    assert head.metadata["errors"] == ["one", "two"]
    assert head.extensions == [{"name": "f"}]
    assert rows[0]["disposition"] == "pass"
    assert rows[0]["extensions"] == [{"name": "e", "definition": "https://e.example"}]


NAMES = (
    "feedback version report_metadata org_name email report_id date_range begin end policy_published domain adkim aspf "
    "p sp pct record row source_ip count policy_evaluated disposition dkim spf identifiers envelope_from header_from "
    "auth_results selector result scope"
)


def prefixed(content: bytes) -> bytes:
    text = content.decode().replace("</", "</d:").replace("<feedback", '<feedback xmlns:d="urn:x"')
    for name in NAMES.split():
        text = text.replace(f"<{name}>", f"<d:{name}>").replace(f"<{name} ", f"<d:{name} ")
    return text.encode()


RECORDS = (record("192.0.2.7", 7, aligned=("fail", "pass")), record("2001:DB8:0::1", 2), record("192.0.2.7", 7))
TAIL = "".join(RECORDS).encode()

# Each is the same report, written in a way that some receiver or other writes.
USUAL = b"<source_ip>192.0.2.7</source_ip><count>7</count>"
TURNED = b"<count>7</count><source_ip>192.0.2.7</source_ip>"
WRITINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "in a namespace with a prefix": prefixed,
    "with a comment before": lambda text: text.replace(b"<version>", b"<!-- by hand --><version>"),
    "with a comment between": lambda text: text.replace(b"</record>", b"</record><!-- <record> -->", 1),
    "with a comment inside": lambda text: text.replace(b"<row>", b"<!-- </record> --><row>"),
    "with CDATA": lambda text: text.replace(b"<count>7<", b"<count><![CDATA[7]]><"),
    "with an instruction": lambda text: text.replace(b"<record>", b"<?a <record>?><record>", 1),
    "with a character reference": lambda text: text.replace(b"<count>7<", b"<count>&#55;<"),
    "without a declaration": lambda text: text.partition(b"?>")[2].lstrip(),
    "behind empty lines": lambda text: b"\r\n \n" + text,
    "behind a mark of UTF-8": lambda text: b"\xef\xbb\xbf" + text,
    "in UTF-16": lambda text: text.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "in Latin 1": lambda text: text.replace(b"UTF-8", b"iso-8859-1"),
    "in one line": lambda text: text.replace(b"\n", b""),
    "with spaces around": lambda text: text.replace(USUAL, USUAL.replace(b">7<", b">\n 7 <").replace(b">1", b"> 1")),
    "with attributes": lambda text: text.replace(b"<record>", b'<record n="1">').replace(b"<row>", b'<row a="&gt;">'),
    "with a prefix that is declared above": (
        lambda text: text.replace(b"<feedback>", b'<feedback xmlns:x="urn:x">').replace(b"<row>", b'<row x:nil="no">')
    ),
    "records first": lambda text: text.replace(TAIL, b"").replace(b"<version>", TAIL + b"<version>"),
    "count before address": lambda text: text.replace(USUAL, TURNED),
    "row last": lambda text: re.sub(rb"(<row>.*?</row>)(.*?)</record>", rb"\2\1</record>", text, flags=re.DOTALL),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 7, 61, 65_536])
@pytest.mark.parametrize("writing", WRITINGS)
def test_however_it_is_written_it_says_the_same(writing: str, piece: int) -> None:
    plain, wanted = read(aggregate(*RECORDS))
    content = WRITINGS[writing](aggregate(*RECORDS))
    assert writing == "as it is" or content != aggregate(*RECORDS)
    head, rows = read(content, piece)
    assert rows == wanted
    assert (head.policy, head.begins, head.tally.counts) == (plain.policy, plain.begins, plain.tally.counts)
    assert head.tally.remarks == ()


_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).filter(lambda text: text == text.strip())
_addresses = st.ip_addresses().map(str)


@given(
    st.lists(
        st.tuples(_addresses, st.integers(0, 10**12), st.sampled_from(["pass", "fail"]), _texts), min_size=1, max_size=8
    ),
    st.integers(1, 3000),
)
def test_whatever_is_written_is_read(told: list[tuple[str, int, str, str]], piece: int) -> None:
    content = aggregate(
        *(
            record(
                address,
                count,
                aligned=(aligned, aligned),
                results=f"<dkim><human_result>{escape(text)}</human_result></dkim>",
            )
            for address, count, aligned, text in told
        )
    )  # fmt: skip
    head, rows = read(content, piece)
    assert [(row["source_ip"], row["count"], row["dkim_aligned"]) for row in rows] == [
        (canonical(address), count, aligned == "pass") for address, count, aligned, _ in told
    ]
    assert [row["dkim"][0]["human_result"] for row in rows] == [text for *_, text in told]
    assert head.tally.counts.messages == sum(count for _, count, _, _ in told)
    assert head.tally.counts.dmarc_fail == sum(count for _, count, aligned, _ in told if aligned == "fail")


def canonical(address: str) -> str:
    _, ((row,)) = read(aggregate(record(address)))
    return str(row["source_ip"])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (record(count=-5), "count '-5'"),
        (record(count=10**30), "is not a number from 0 to 1,000,000,000,000"),
        (record(count="many"), "count 'many'"),
        (record(count="1.5"), "count '1.5'"),
        (record(count="٣"), "count '٣'"),
        ("<record><row/></record>", "count ''"),
        (f"<record>{record()}</record>", "count ''"),
    ],
)
def test_a_record_that_cannot_be_counted_is_passed_over_and_said(bad: str, told: str) -> None:
    head, rows = read(aggregate(record(count=3), bad, record(count=4)))
    assert [row["count"] for row in rows] == [3, 4]
    assert head.tally.counts.messages == 7
    (remark,) = head.tally.remarks
    assert told in remark


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("X.X.X.X", "unknown address"),
        ("192.0.2.300", "unknown address"),
        ("", "unknown address"),
        ("192.0.2.60:25", "192.0.2.60"),
        ("[2001:db8::64]", "2001:db8::64"),
    ],
)
def test_messages_of_an_odd_address_are_counted(address: str, counted: str) -> None:
    head, rows = read(aggregate(record(count=3), record(address, 4)))
    assert [(row["source_ip"], row["count"]) for row in rows] == [("192.0.2.1", 3), (counted, 4)]
    assert head.tally.counts.messages == 7
    assert head.tally.remarks == (f"source_ip {address!r} is no address: counted as {counted}",)


def test_an_address_within_another_is_that_address() -> None:
    head, rows = read(aggregate(record("::ffff:192.0.2.63", 4)))
    assert ([row["source_ip"] for row in rows], head.tally.remarks) == (["192.0.2.63"], ())


def test_how_many_records_were_passed_over_is_said() -> None:
    head, rows = read(aggregate(*(record(count=f"bad{number}") for number in range(30))))
    assert rows == []
    assert len(head.tally.remarks) == 11
    assert head.tally.remarks[-1] == "30 records were passed over in all"


def test_what_is_not_said_is_neither_aligned_nor_a_failure() -> None:
    content = aggregate(record().replace("<dkim>pass</dkim><spf>pass</spf>", "<spf>perhaps</spf>"))
    head, rows = read(content)
    assert (rows[0]["dkim_aligned"], rows[0]["spf_aligned"]) == (None, None)
    assert head.tally.counts == Counts(messages=1)
    assert head.tally.remarks == ("a record does not say whether DKIM and SPF are aligned",)


def test_reasons_why_a_policy_was_not_applied_are_kept() -> None:
    reasons = "<reason><type>forwarded</type></reason><reason><type>other</type><comment>a &amp; b</comment></reason>"
    _, rows = read(aggregate(record().replace("</policy_evaluated>", f"{reasons}</policy_evaluated>")))
    assert rows[0]["reasons"] == [{"type": "forwarded"}, {"type": "other", "comment": "a & b"}]


def test_no_more_results_are_kept_than_anybody_needs() -> None:
    head, rows = read(aggregate(record(results=f"<dkim>{PASSING}</dkim>" * 101)))
    assert len(rows[0]["dkim"]) == 100
    assert "more than 100 results of dkim" in head.tally.remarks[0]


def test_a_time_range_the_wrong_way_round_is_turned() -> None:
    head, _ = read(aggregate(span=(ENDS, BEGINS)))
    assert (head.begins, head.ends) == (BEGINS * 1000, ENDS * 1000)
    assert head.tally.remarks == ("its time range ends before it begins: taken the other way round",)


def test_an_organisation_without_a_name_has_its_address() -> None:
    head, _ = read(aggregate(organisation=" "))
    assert head.organisation == "reports@receiver.example"


def test_a_report_without_records_is_a_report() -> None:
    head, rows = read(aggregate(" "))
    assert rows == []
    assert head.tally.remarks == ("there is no record in it",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (aggregate(report_id=""), "report_id is missing"),
        (aggregate(domain=""), "policy_published/domain is missing"),
        (aggregate(report_id="x" * 1001), "report_metadata/report_id has more than 1,000 bytes"),
        (aggregate(span=("", "")), "date_range says ''"),
        (aggregate(span=(BEGINS, "never")), "date_range says 'never'"),
        (aggregate(span=(BEGINS, ENDS * 1000)), "not seconds since 1970"),
        (aggregate().replace(b"date_range", b"dates"), "date_range is missing"),
        (aggregate().replace(b"feedback", b"feed"), "its root element is 'feed'"),
        (aggregate()[:-3], "not XML that can be read"),
        (aggregate(record(), record())[:-400], "not XML that can be read"),
        (aggregate() + b"and more", "not XML that can be read: junk after document element"),
        (aggregate().replace(b"<record>", b"<records><record>").replace(b"</record>", b"</record></records>"),
         "a record stands inside another element"),
        (aggregate().replace(b"<record>", b"<!----><records><record>").replace(b"</record>", b"</record></records>"),
         "a record stands inside another element"),
        (b" \n", "it is empty"),
        (aggregate().replace(b"UTF-8", b"x-unknown"), "encoding"),
        (aggregate().replace(b"UTF-8", b"euc-kr"), "encoding"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_with_a_reason(content: bytes, told: str) -> None:
    assert told in refused(content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("before", ["", "<!-- a long comment -->" * 3000, "\n" * 5000])
def test_a_document_type_is_refused_wherever_it_stands(before: str, encoding: str) -> None:
    text = f"{before}<!DOCTYPE feedback [<!ENTITY e 'x'>]>{aggregate().decode().partition('?>')[2]}"
    assert "declares a document type" in refused(text.encode(encoding))


_DAMAGE = st.sampled_from(
    (
        b"|<|>|&|/|\0|\xff|]]>|<!--|-->|<record>|</record>|<row>|</row>|<x>|</x>|<x/>"
        b"|&#0;|&amp;|&e;|<![CDATA[|<?x?>| a='1'|p:|\x0b|9"
    ).split(b"|")
)


@settings(max_examples=rounds(300, deep=1500))
@given(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 40), _DAMAGE), min_size=1, max_size=3), st.data())
def test_nothing_is_read_that_is_not_well_formed(damage: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    content = aggregate(*RECORDS, record(count=1), record("bad"))
    for place, length, put in damage:
        at = place % len(content)
        content = content[:at] + put + content[at + length :]
    try:
        head, rows = read(content, data.draw(st.sampled_from([50, 1000, 65_536])))
    except InvalidInput:
        return
    expat.ParserCreate().Parse(content.lstrip(b" \t\r\n").removeprefix(b"\xef\xbb\xbf"), True)
    tree = XML(content.lstrip(b" \t\r\n"))
    assert len(rows) == head.tally.rows
    assert len(rows) <= len(tree.findall("{*}record"))


def test_many_large_records_are_read_one_by_one() -> None:
    long = record(results=f"<dkim>{PASSING}<human_result>{'x' * 200_000}</human_result></dkim>")
    _, rows = read(aggregate(*[long] * 40))
    assert {len(row["dkim"][0]["human_result"]) for row in rows} == {1000}
    assert len(rows) == 40
