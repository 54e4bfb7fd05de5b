"""Services by what rows and DNS tell of them; addresses are asked of a real name server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from mailvane.core.dns.lookups import Lookups
from mailvane.dmarc.model import SenderAddress
from mailvane.dmarc.sender_names import SenderNames
from mailvane.dmarc.sending_services import (
    LONGEST_ID,
    name_of_service,
    sending_services,
    service_of_name,
    service_of_row,
)
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000
RECORDS = {
    ("9.2.0.192.in-addr.arpa", "PTR"): "o1.SendGrid.net.",
    ("o1.sendgrid.net", "A"): "192.0.2.9",
    ("8.2.0.192.in-addr.arpa", "PTR"): "fake.sendgrid.net.",
    ("fake.sendgrid.net", "A"): "198.51.100.1",
    ("7.2.0.192.in-addr.arpa", "PTR"): "mail.shop.example.",
    ("_spf.google.com", "TXT"): '"v=spf1 include:_netblocks.google.com ~all"',
    ("_netblocks.google.com", "TXT"): '"v=spf1 ip4:203.0.113.0/24 ip6:2001:db8:1::/48 include:_spf.google.com ~all"',
    ("mailgun.org", "TXT"): '"v=spf1 ip4:203.0.113.64/28 ip4:0.0.0.0/0 a mx exists:%{i}.x.example -all"',
}


def signed(domain: str, result: str = "pass") -> dict[str, object]:
    return {"dkim": [{"domain": domain, "result": result}], "spf": []}


def test_every_service_has_a_source_a_name_and_something_that_it_is_known_by() -> None:
    found = sending_services()
    assert len(found) >= 60
    for each in found.values():
        assert each.name
        assert len(each.id) <= LONGEST_ID
        assert urlsplit(each.source).scheme == "https"
        assert each.spf or each.ptr or each.dkim
        assert all(name == name.lower() and "." in name for name in (*each.spf, *each.ptr, *each.dkim))
    for field in ("spf", "ptr", "dkim"):
        names = [name for each in found.values() for name in getattr(each, field)]
        assert len(names) == len(set(names)), f"{field} of two services"


@pytest.mark.parametrize(
    ("row", "service"),
    [
        (signed("amazonses.com"), "amazon-ses"),
        (signed("Shop-example.20230601.GAPPSSMTP.com"), "google-workspace"),
        (signed("notamazonses.com"), ""),
        (signed("amazonses.com", "fail"), ""),
        (signed("shop.example"), ""),
        ({"spf": [{"domain": "em1.sendgrid.net", "result": "pass"}]}, "sendgrid"),
        ({"spf": [{"domain": "em1.sendgrid.net", "result": "softfail"}]}, ""),
        (signed("mailgun.org") | {"spf": [{"domain": "em1.sendgrid.net", "result": "pass"}]}, "mailgun"),
        ({"dkim": "broken", "spf": [None]}, ""),
        ({}, ""),
    ],
)
def test_a_row_tells_of_the_service_by_what_passed(row: dict[str, object], service: str) -> None:
    assert service_of_row(row) == service


def test_names_are_told_by_their_end() -> None:
    assert service_of_name("mail-ej1-f54.google.com.") == "google-workspace"
    assert service_of_name("google.com.shop.example") == service_of_name("com") == service_of_name("") == ""
    assert (name_of_service("sendgrid"), name_of_service("gone"), name_of_service("")) == (
        "Twilio SendGrid", "gone", "unknown",
    )  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer({}, RECORDS).running() as running:
        yield running


def named(server: NameServer, *addresses: str) -> dict[str, SenderAddress]:
    async def ask() -> list[SenderAddress]:
        names = SenderNames(Lookups([f"127.0.0.1:{server.port}"], timeout=PATIENCE))
        return await names.name(addresses, NOW)

    return {each.address: each for each in asyncio.run(ask())}


def test_an_address_is_named_by_a_name_that_leads_back_or_by_a_network(server: NameServer) -> None:
    asked = ("192.0.2.9", "192.0.2.8", "192.0.2.7", "203.0.113.1", "203.0.113.70", "2001:db8:1::5", "masked")
    found = named(server, *asked)
    assert {address: (each.service, each.by) for address, each in found.items()} == {
        "192.0.2.9": ("sendgrid", "ptr"),
        "192.0.2.8": ("", ""),
        "192.0.2.7": ("", ""),
        "203.0.113.1": ("google-workspace", "spf"),
        "203.0.113.70": ("mailgun", "spf"),
        "2001:db8:1::5": ("google-workspace", "spf"),
        "masked": ("", ""),
    }
    assert found["192.0.2.7"].name.rstrip(".") == "mail.shop.example"


def test_what_dns_does_not_answer_is_asked_again() -> None:
    async def ask() -> list[SenderAddress]:
        return await SenderNames(Lookups(["127.0.0.1:9"], timeout=0.2)).name(["192.0.2.9"], NOW)

    assert asyncio.run(ask()) == []
