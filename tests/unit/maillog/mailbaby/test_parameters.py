"""The query of the log: which addresses, hosts and numbers pass."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address
from mailvane.maillog.mailbaby.parameters import PARAMETERS, LogQuery, When, read_log_query
from mailvane.maillog.mailbaby.shape import DIALECT

WHEN = When(1_705_521_600_000, ZoneInfo("UTC"))


def read(name: str, value: str) -> LogQuery:
    return read_log_query({name: value}, WHEN)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example", "first.last+tag@sub.domain.example", "root@localhost", "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]",
        "müller@bücher.example", '"quoted local"@b.example', "o'brien@b.example", "a@under_score.example",
        "SRS0=abc=de=b.example=a@fwd.example", "-@b.example", "double-bounce@mx1",
    ],
)  # fmt: skip
def test_bare_addresses_pass(address: str) -> None:
    assert read("to", address).recipient == canonical_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "", " ", "a", "@b.example", "a@", "a@b@c.example", "a b@c.example", "<a@b.example>", "A <a@b.example>",
        "a@b..example", "a@.example", "a@-b.example", "a@b-.example", "a@b_c d", "a,b@c.example", "a@[300.1.1.1]",
        "a@b.example\n", "a\0@b.example", "x" * 257 + "@b.example", "a@" + "x" * 64 + ".example",
    ],
)  # fmt: skip
def test_anything_else_does_not(address: str) -> None:
    for name in ("from", "to", "replyto", "headerfrom"):
        with pytest.raises(InvalidInput, match=f"^invalid {name}: "):
            read(name, address)


def test_the_domain_of_an_address_has_no_case() -> None:
    assert read("from", "Person@EXAMPLE.com").sender == "Person@example.com"


@pytest.mark.parametrize(
    "host", ["mx.isp.example", "MX1", "a_b.example", "192.0.2.1", "2001:db8::1", "xn--bcher-kva.example"]
)
def test_hosts_pass_as_they_are(host: str) -> None:
    assert read("mx", host).mx_host == host


@pytest.mark.parametrize(("text", "origin"), [("192.0.2.7", "192.0.2.7"), ("2001:DB8:0::1", "2001:db8::1")])
def test_origins_are_compared_in_their_shortest_form(text: str, origin: str) -> None:
    assert read("origin", text).origin == origin


def test_without_a_query_the_defaults_hold() -> None:
    query = read_log_query({}, WHEN)
    assert (query.skip, query.limit, query.ascending, query.by_message) == (0, 100, False, False)
    assert (query.delivered, query.since, query.until, query.subject, query.relay) == (None,) * 5


def test_a_query_string_keeps_empty_values_and_the_last_of_repeated_ones() -> None:
    assert DIALECT.query_values(b"from=&to=a%40b&to=c+d%20e&x") == {"from": "", "to": "c d e", "x": ""}


def test_bytes_that_are_not_utf8_do_no_harm() -> None:
    assert read_log_query(DIALECT.query_values(b"subject=%ff%fe\xff"), WHEN).subject is not None


@given(st.binary(max_size=200))
def test_no_query_string_breaks_the_reader(query: bytes) -> None:
    try:
        read_log_query(DIALECT.query_values(query), WHEN)
    except InvalidInput:
        return


@given(st.sampled_from([each.name for each in PARAMETERS]), st.text(max_size=30))
def test_any_value_is_read_or_refused_by_the_name_it_came_under(name: str, value: str) -> None:
    refused = ""
    try:
        read(name, value)
    except InvalidInput as error:
        refused = error.message
    assert not refused or refused.startswith(f"invalid {name}: ")
