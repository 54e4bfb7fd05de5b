"""The query language: what a query means, and what is said of one that means nothing."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import LogQuestion, Match, Pattern, Term
from mailvane.maillog.query_language import asks_refused, question, refused_question, tokens

NOW = 1_790_000_000_000
DAY = 86_400_000
WHOLE, DOMAIN, PART = Match.WHOLE, Match.DOMAIN, Match.PART


def asked(query: str) -> LogQuestion:
    return question(query, 1, (1, 2), NOW, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("query", "term"),
    [
        ("from:Ann@Shop.example", Term("from", (Pattern("ann@shop.example", WHOLE),))),
        ("from:shop.example", Term("from", (Pattern("shop.example", DOMAIN),))),
        ("to:@shop.example", Term("to", (Pattern("shop.example", DOMAIN),))),
        ("to:ann", Term("to", (Pattern("ann", PART),))),
        ("-to:ann,bob@x.example", Term("to", (Pattern("ann", PART), Pattern("bob@x.example", WHOLE)), excludes=True)),
        ('subject:"order 5, paid"', Term("subject", (Pattern("order 5, paid", PART),))),
        ("SUBJECT:receipt.pdf", Term("subject", (Pattern("receipt.pdf", PART),))),
        ("why:unknown-user,Spam", Term("why", (Pattern("unknown_user", WHOLE), Pattern("spam", WHOLE)))),
        ("state:bounced", Term("is", (Pattern("bounced", WHOLE),))),
        ("-reason:spam", Term("why", (Pattern("spam", WHOLE),), excludes=True)),
        ("is:bounced", Term("is", (Pattern("bounced", WHOLE),))),
        ("is:failing", Term("is", tuple(Pattern(each, WHOLE) for each in ("bounced", "expired", "deferred")))),
        ("mx:google.com", Term("mx", (Pattern("google.com", DOMAIN),))),
        ("origin:192.0.2.1", Term("origin", (Pattern("192.0.2.1", WHOLE),))),
        ("queue:4jbJDG4ZYfz8Kcc", Term("queue", (Pattern("4jbJDG4ZYfz8Kcc", WHOLE),))),
        ("id:1A21AF62CB56BCC49E", Term("id", (Pattern("1a21af62cb56bcc49e", WHOLE),))),
        ("hello", Term("text", (Pattern("hello", PART),))),
        ('"two words"', Term("text", (Pattern("two words", PART),))),
        ("-shop.example", Term("text", (Pattern("shop.example", DOMAIN),), excludes=True)),
        ("answer:4.7.0", Term("answer", (Pattern("4.7.0", PART),))),
        ('"Re: order"', Term("text", (Pattern("Re: order", PART),))),
        ('subject:"two "words', Term("subject", (Pattern("two words", PART),))),
        ('subject:a,"",b', Term("subject", (Pattern("a", PART), Pattern("b", PART)))),
    ],
)
def test_a_term_means(query: str, term: Term) -> None:
    assert asked(query).terms == (term,)


def test_terms_are_joined() -> None:
    found = asked("is:bounced from:a.example b")
    assert [term.field for term in found.terms] == ["is", "from", "text"]


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ("since:7d", NOW - 7 * DAY, None),
        ("since:2w until:36h", NOW - 14 * DAY, NOW - 36 * 3_600_000),
        ("since:30min", NOW - 1_800_000, None),
        ("since:2026-09-01 until:2026-09-01", 1_788_220_800_000, 1_788_307_199_999),
        ("", None, None),
    ],
)
def test_times_bound(query: str, since: int | None, until: int | None) -> None:
    assert (asked(query).since, asked(query).until) == (since, until)


@pytest.mark.parametrize(("query", "relays"), [("relay:1", (1,)), ("-relay:1", (2,)), ("relay:9,x", ()), ("", (1, 2))])
def test_relays_are_those_of_the_workspace(query: str, relays: tuple[int, ...]) -> None:
    assert asked(query).relays == relays


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("colour:red", "there is no colour: in a query"),
        ("why:rain", "there is no family rain"),
        ("is:lost", "there is no state lost"),
        ("id:12", "expected 18 hexadecimal digits"),
        ("since:qwxz", "."),
        ("since:1d,2d", "takes one time"),
        ("-since:1d", "takes one time"),
        ('from:""', "from: needs a value"),
        ("from: ann", "from: needs a value"),
        ("-State:", "state: needs a value"),
        ("from:" + ",".join("ab"[each % 2] for each in range(51)), "at most 50 values"),
        ("x" * 2001, "at most 2000 characters"),
    ],
)
def test_what_means_nothing_is_said(query: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        asked(query)


@pytest.mark.parametrize(
    ("query", "place"), [("colour:red", 1), ("to:a -is:lost", 6), ('"two words"  why:rain', 14), ("a since:1d,2d", 3)]
)
def test_where_it_was_is_said(query: str, place: int) -> None:
    with pytest.raises(InvalidInput, match=rf"\(at character {place}\)$"):
        asked(query)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ('"', 1),
        ('"abc', 1),
        ('abc"', 4),
        ('subject:"order 5', 9),
        ('subject:"order 5" from:"ann', 24),
        ('a"b c"d"e', 8),
        ('is:refused "', 12),
        ('since:7d subject:"a,b', 18),
    ],
)
def test_a_quote_is_closed(query: str, place: int) -> None:
    for read in (tokens, asks_refused, asked):
        with pytest.raises(InvalidInput, match=rf"^a quote is not closed \(at character {place}\)$"):
            read(query)


def test_the_first_fault_is_told_of_what_was_refused() -> None:
    for query, place in (("a is:refused,bounced", 3), ("is:bounced is:refused", 12), ("-is:refused", 1)):
        with pytest.raises(InvalidInput, match=rf"is:refused stands alone.*\(at character {place}\)$"):
            asks_refused(query)
    with pytest.raises(InvalidInput, match=r"is:refused stands alone.*\(at character 3\)$"):
        refused_question("a is:bounced", 1, (1,), NOW, ZoneInfo("UTC"))


@pytest.mark.parametrize("query", ['"from:ann"', '"-ann"', '"a:b",c', 'subject:"a b"', "origin:2001:db8::1"])
def test_a_term_is_written_as_it_is_read_again(query: str) -> None:
    (token,) = tokens(query)
    assert (token.text, tokens(token.text)) == (query, [token])


def test_every_state_is_known() -> None:
    for status in DeliveryStatus:
        assert asked(f"is:{status.value}").terms[0].patterns == (Pattern(status.value, WHOLE),)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(query: str) -> None:
    try:
        found = tokens(query)
        asked(query)
    except InvalidInput:
        return
    again = " ".join(token.text for token in found)
    assert tokens(again) == found
