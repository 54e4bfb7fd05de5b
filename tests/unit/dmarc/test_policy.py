"""A domain's policy is found where receivers find it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from mailvane.dmarc.policy import is_record, names_asked, policy_of, tags_of


def found(domain: str, records: Mapping[str, list[str]]) -> Mapping[str, Any]:
    async def texts(name: str) -> list[str]:
        return records.get(name, [])

    return asyncio.run(policy_of(domain, texts))


def test_a_record_is_told_by_its_tags() -> None:
    record = "v=DMARC1; p=Reject; sp = none;rua=mailto:a@x.example!10m, mailto:b@x.example ; p=none; t=y;junk"
    told = found("shop.example", {"_dmarc.shop.example": ["other", record]})
    assert (told["p"], told["sp"], told["t"], told["np"]) == ("reject", "none", "y", "")
    assert told["rua"] == ["mailto:a@x.example", "mailto:b@x.example"]
    assert (told["dmarc"], told["found_at"]) == (record, "shop.example")


def test_the_policy_of_a_name_above_holds_where_there_is_none() -> None:
    records = {"_dmarc.shop.example": ["v=DMARC1; p=quarantine"]}
    assert found("a.mail.shop.example", records)["found_at"] == "shop.example"


def test_several_records_are_none() -> None:
    assert found("shop.example", {"_dmarc.shop.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]})["dmarc"] == ""


def test_what_is_not_said_any_more_is_empty() -> None:
    told = found("shop.example", {})
    assert set(told) == set(found("shop.example", {"_dmarc.shop.example": ["v=DMARC1;p=none;ruf=mailto:x@y.example"]}))
    assert not any(told.values())


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("shop.example", ["shop.example", "example"]),
        ("1.2.3.4.5.6.7.8", [".".join("12345678"[place:]) for place in range(8)]),
        ("x.1.2.3.4.5.6.7.8.9", ["x.1.2.3.4.5.6.7.8.9", *(".".join("3456789"[place:]) for place in range(7))]),
    ],
)
def test_no_more_than_eight_names_are_asked_about(domain: str, names: list[str]) -> None:
    assert list(names_asked(domain)) == names


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("v=DMARC1;p=none", True), ("v = DMARC1 ; p=none", True), ("v=dmarc1;p=none", False), ("p=none;v=DMARC1", False),
     ("v=DMARC12", False), ("", False)],
)  # fmt: skip
def test_only_what_begins_with_its_version_is_a_record(text: str, is_one: bool) -> None:
    assert is_record(text) is is_one


def test_a_tag_that_is_said_twice_means_what_was_said_first() -> None:
    assert tags_of("v=DMARC1;p=none;P=reject;x") == {"v": "DMARC1", "p": "none"}
