"""The name server is asked by a resolver's library, which judges every packet."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane_demo.world.name_server import NOT_THERE, NameServer, Told

NOW = 1_790_000_000_000
LONG = "v=spf1 " + "ip4:192.0.2.1 " * 40 + "-all"
KNOWN = {
    ("shop.example", "A"): ("192.0.2.7", "192.0.2.8"),
    ("shop.example", "MX"): ("mail.shop.example",),
    ("shop.example", "NS"): ("ns1.names.example",),
    ("shop.example", "TXT"): (LONG,),
    ("7.2.0.192.in-addr.arpa", "PTR"): ("mail.shop.example",),
}
EXPECTED = {
    ("shop.example", "A"): ["192.0.2.7", "192.0.2.8"],
    ("SHOP.example", "MX"): ["10 mail.shop.example."],
    ("shop.example", "NS"): ["ns1.names.example."],
    ("shop.example", "TXT"): [f'"{LONG[:255]}" "{LONG[255:510]}" "{LONG[510:]}"'],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["mail.shop.example."],
    ("shop.example", "AAAA"): [],
}


def answers(name: str, kind: str, at: int) -> Told | None:
    if name == "silent.example":
        return None
    if name == "later.example":
        return Told(("192.0.2.9",)) if at > NOW else NOT_THERE
    if name not in {known for known, _ in KNOWN}:
        return NOT_THERE
    return Told(KNOWN.get((name, kind), ()))


def asked(port: int, name: str, kind: str = "A") -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, kind, use_edns=0), "127.0.0.1", timeout=5, port=port)


def test_records_of_every_kind_are_told() -> None:
    with NameServer(answers, lambda: NOW).running() as server:
        for (name, kind), expected in EXPECTED.items():
            told = asked(server.port, name, kind)
            assert told.rcode() == dns.rcode.NOERROR
            assert sorted(record.to_text() for rrset in told.answer for record in rrset) == expected


def test_a_name_that_is_not_there_is_said_not_to_be() -> None:
    with NameServer(answers, lambda: NOW).running() as server:
        assert asked(server.port, "nobody.example").rcode() == dns.rcode.NXDOMAIN


def test_what_is_there_later_is_found_later() -> None:
    for now, code in ((NOW, dns.rcode.NXDOMAIN), (NOW + 1, dns.rcode.NOERROR)):
        with NameServer(answers, lambda now=now: now).running() as server:  # type: ignore[misc]
            assert asked(server.port, "later.example").rcode() == code


def test_a_dead_name_gets_no_answer() -> None:
    question = dns.message.make_query("silent.example", "A").to_wire()
    assert NameServer(answers, lambda: NOW).answer(question) is None


def test_what_is_no_question_is_refused() -> None:
    server = NameServer(answers, lambda: NOW)
    question = dns.message.make_query("shop.example", "A", use_edns=False).to_wire()
    told = server.answer(question[:-6])
    assert told is not None
    assert dns.message.from_wire(told).rcode() == dns.rcode.FORMERR
    answered = server.answer(question)
    assert answered is not None
    assert server.answer(answered) is None  # an answer is not answered: two servers would never end


@given(st.binary(max_size=60))
def test_no_packet_ends_it(packet: bytes) -> None:
    told = NameServer(answers, lambda: NOW).answer(packet)
    assert told is None or len(told) >= 12


def test_it_ends_with_its_block() -> None:
    with NameServer(answers, lambda: NOW).running() as server:
        port = server.port
    with pytest.raises((dns.exception.Timeout, OSError)):
        dns.query.udp(dns.message.make_query("shop.example", "A"), "127.0.0.1", timeout=0.2, port=port)
