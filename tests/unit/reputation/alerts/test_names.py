"""Names that rules list: one spelling, or a word for all."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mailvane.reputation.alerts.rule import WORDS, stands_for_all
from mailvane.reputation.alerts.rules import read_rule


def listed(kind: str, field: str, name: str, **more: Any) -> list[str]:
    rule = read_rule({"type": kind, field: [name], **more}, "rules[0]")
    return [str(each) for each in getattr(rule, field)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("192.0.2.1", "192.0.2.1"), (" 192.0.2.1 ", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1")],
)
def test_an_address_is_compared_in_its_one_spelling(written: str, meant: str) -> None:
    assert listed("IP_IN_RBL", "ips", written, rbls=["x"]) == [meant]
    assert listed("TRAPS_IP", "traps_ips", written) == [meant]


@pytest.mark.parametrize(
    ("written", "meant"), [("Shop.Example.", "shop.example"), ("bücher.example", "xn--bcher-kva.example")]
)
def test_a_domain_is_compared_in_its_one_spelling(written: str, meant: str) -> None:
    assert listed("DOMAIN_IN_RBL", "domains", written, rbls=["x"]) == [meant]
    assert listed("TRAPS_DOMAIN_FROM", "traps_domains_from", written) == [meant]


@pytest.mark.parametrize("word", sorted(WORDS))
def test_each_word_means_all_in_any_list(word: str) -> None:
    assert stands_for_all(listed("SNDS_FILTER_RESULT", "snds_ips", word, snds_filter_result=["RED"]))
    assert stands_for_all(listed("GP_DOMAIN_REPUTATION", "gp_domains", word, gp_domain_reputations=["BAD"]))


def test_a_name_stands_for_itself() -> None:
    assert not stands_for_all(("192.0.2.1", "all.example"))


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"type": "IP_IN_RBL", "ips": ["192.0.2.1", "ALL_IPS"], "rbls": ["bl.example"]}, "ips"),
        (
            {"type": "TRAPS_DOMAIN_FROM", "traps_domains_from": ["One.example", "ALL_TRAPS_DOMAINS"]},
            "traps_domains_from",
        ),
    ],
)
def test_what_a_rule_holds_is_plain_text(raw: dict[str, object], field: str) -> None:
    names = getattr(read_rule(raw, "rules[0]"), field)
    assert [type(name) for name in names] == [str, str]
    assert msgspec.json.decode(msgspec.json.encode(names)) == list(names)
