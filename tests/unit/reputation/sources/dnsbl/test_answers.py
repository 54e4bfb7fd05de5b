"""What the answer of a blocklist means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.reputation.blocklists import Outcome
from mailvane.reputation.model import Zone
from mailvane.reputation.sources.dnsbl.answers import verdict_of

ZONE = Zone(
    host="bl.example",
    codes={"127.0.0.2": "spam", "127.0.0.4/30": "exploited", "&16": "phishing"},
    refusals=("127.0.1.255",),
    harmless=("127.0.0.100/30",),
)


@pytest.mark.parametrize(
    ("addresses", "outcome", "meaning"),
    [
        ([], Outcome.CLEAR, ""),
        (["127.0.0.2"], Outcome.LISTED, "spam"),
        (["127.0.0.6", "127.0.0.2"], Outcome.LISTED, "spam; exploited"),
        (["127.0.0.24"], Outcome.LISTED, "phishing"),
        (["127.9.9.9"], Outcome.LISTED, ""),
        (["127.0.0.1"], Outcome.UNKNOWN, ""),
        (["127.255.255.252"], Outcome.UNKNOWN, ""),
        (["127.255.255.254", "127.0.0.2"], Outcome.UNKNOWN, ""),
        (["127.0.1.255"], Outcome.UNKNOWN, ""),
        (["192.0.2.1"], Outcome.UNKNOWN, ""),
        (["127.0.0.101"], Outcome.CLEAR, ""),
        (["127.0.0.101", "127.0.0.2"], Outcome.LISTED, "spam"),
    ],
)
def test_an_answer_lists_clears_or_says_nothing(addresses: list[str], outcome: Outcome, meaning: str) -> None:
    found = verdict_of(ZONE, addresses)
    assert (found.outcome, found.meaning) == (outcome, meaning)
    assert bool(found.reason) == (outcome is Outcome.UNKNOWN)


@given(st.lists(st.ip_addresses(v=4).map(str)))
def test_what_comes_from_elsewhere_never_lists(addresses: list[str]) -> None:
    foreign = [address for address in addresses if not address.startswith("127.")]
    assert (verdict_of(ZONE, addresses).outcome is Outcome.UNKNOWN) >= bool(foreign)
