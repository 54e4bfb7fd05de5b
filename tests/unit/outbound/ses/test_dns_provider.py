"""Domains judged by what a name server of our own shows."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.outbound.model import Domain
from mailvane.outbound.ses.dns_provider import DnsProvider, look_up_by
from mailvane.outbound.verification import Challenge, VerificationStatus

NEW = Domain(id=1, workspace=1, name="shop.example", created_at=0)


class NameServer:
    """Answers from a table; what is not in it does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.rcode = dns.rcode.NOERROR
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:{1}".format(*self._socket.getsockname())
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(4096)
            if not wire:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True)
        found = self.records.get((name, kind))
        if self.rcode != dns.rcode.NOERROR:
            answer.set_rcode(self.rcode)
        elif found:
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def provider(names: NameServer) -> DnsProvider:
    return DnsProvider(look_up_by([names.address]), "dkim.host.example")


def begun(provider: DnsProvider) -> tuple[Domain, Challenge]:
    challenge = provider.begin(NEW)
    kept = {"verification_token": challenge.token, "dkim_tokens": challenge.dkim_tokens}
    return msgspec.structs.replace(NEW, **kept), challenge


def publish(names: NameServer, challenge: Challenge, value: Callable[[str], str] = lambda value: value) -> None:
    for record in challenge.records:
        text = f'"{value(record.value)}"' if record.type == "TXT" else f"{value(record.value)}."
        names.records[record.name, record.type] = [text]


def test_the_owner_is_told_one_token_and_three_selectors(provider: DnsProvider) -> None:
    challenge = provider.begin(NEW)
    text, *signing = challenge.records
    assert (text.type, text.name, text.value) == ("TXT", "_mailvane.shop.example", challenge.token)
    assert len(set(challenge.dkim_tokens)) == 3
    for token, record in zip(challenge.dkim_tokens, signing, strict=True):
        assert record.type == "CNAME"
        assert record.name == f"{token}._domainkey.shop.example"
        assert record.value == f"{token}.dkim.host.example"


def test_no_two_domains_get_the_same_token(provider: DnsProvider) -> None:
    assert provider.begin(NEW).token != provider.begin(NEW).token


def test_a_proof_that_was_begun_goes_on(provider: DnsProvider) -> None:
    domain, challenge = begun(provider)
    assert provider.begin(domain) == challenge


def test_nothing_is_looked_up_before_a_proof_is_begun(provider: DnsProvider) -> None:
    assert provider.status(NEW).identity is VerificationStatus.NOT_STARTED


def test_a_proof_without_records_is_pending(provider: DnsProvider) -> None:
    progress = provider.status(begun(provider)[0])
    assert (progress.identity, progress.dkim) == (VerificationStatus.PENDING, VerificationStatus.PENDING)


def test_published_records_are_success(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge)
    assert provider.status(domain).complete


def test_names_have_no_case(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge)
    record = challenge.records[1]
    names.records[record.name, "CNAME"] = [f"{record.value.upper()}."]
    assert provider.status(domain).complete


def test_one_missing_selector_keeps_it_pending(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge)
    del names.records[challenge.records[2].name, "CNAME"]
    progress = provider.status(domain)
    assert (progress.identity, progress.dkim) == (VerificationStatus.SUCCESS, VerificationStatus.PENDING)


def test_other_values_are_a_failure(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge, lambda value: f"x{value}")
    progress = provider.status(domain)
    assert (progress.identity, progress.dkim) == (VerificationStatus.FAILED, VerificationStatus.FAILED)


def test_the_token_may_stand_among_others_and_in_pieces(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge)
    token = challenge.token
    names.records["_mailvane.shop.example", "TXT"] = ['"another"', f'"{token[:5]}" "{token[5:]}"']
    assert provider.status(domain).complete


def test_a_name_server_in_trouble_is_no_verdict(provider: DnsProvider, names: NameServer) -> None:
    domain, challenge = begun(provider)
    publish(names, challenge)
    names.rcode = dns.rcode.SERVFAIL
    progress = provider.status(domain)
    assert progress.identity is progress.dkim is VerificationStatus.TEMPORARY_FAILURE


def test_without_a_domain_for_keys_they_are_below_each_domain() -> None:
    challenge = DnsProvider(look_up_by(["192.0.2.1"])).begin(NEW)
    assert challenge.records[1].value == f"{challenge.dkim_tokens[0]}.dkim.shop.example"


@pytest.mark.parametrize("address", ["dns.example", "127.0.0.1:99999", ""])
def test_a_resolver_is_an_address(address: str) -> None:
    with pytest.raises(InvalidSetting):
        look_up_by([address])


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1:53", "[2001:db8::1]:5353", "2001:db8::1"])
def test_resolvers_may_have_ports(address: str) -> None:
    look_up_by([address])
