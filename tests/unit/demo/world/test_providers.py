"""The made-up providers use reserved names and addresses only, and answer as servers may."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import pytest

from mailvane.maillog.model import ReasonFamily
from mailvane_demo.world.providers import NOWHERE, OWN_MAILBOXES, PROVIDERS, Provider, Refusal

DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
EVERYBODY = (*PROVIDERS, NOWHERE, OWN_MAILBOXES)


def refusals(provider: Provider) -> list[Refusal]:
    return [one for one in (provider.unknown, provider.full, provider.spam, provider.putting_off) if one]


def test_the_shares_of_a_list_add_up() -> None:
    assert abs(sum(provider.share for provider in PROVIDERS) - 1) < 1e-9


@pytest.mark.parametrize("provider", [*PROVIDERS, NOWHERE], ids=lambda one: one.domains[0])
def test_names_and_addresses_are_reserved_for_documentation(provider: Provider) -> None:
    assert all(domain.endswith(".example") for domain in provider.domains)
    for name, ip in provider.hosts:
        assert name.endswith(".example")
        assert any(ip_address(ip) in net for net in DOCUMENTATION)


@pytest.mark.parametrize("provider", EVERYBODY, ids=lambda one: one.domains[0])
def test_a_refusal_says_why_and_has_a_code_of_its_class(provider: Provider) -> None:
    for refusal in refusals(provider):
        assert refusal.family is not ReasonFamily.NONE
        code = re.match(r"[45]\d\d", refusal.text)
        if refusal.phase in {"connect", "greeting"}:
            continue  # no reply, or one that Postfix takes for a temporary one
        assert code, refusal.text
        assert code.group()[0] == refusal.enhanced[0]
