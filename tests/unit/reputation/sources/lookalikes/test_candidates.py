"""Names that imitate a brand: the plain ones are there, the brand is not, and there is an end to them."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailvane.reputation.sources.lookalikes.candidates import MOST, Registrable, candidates, likeness, registrable


def made(brand: str) -> dict[str, str]:
    return {each.name: each.fuzzer for each in candidates(brand)}


@pytest.mark.parametrize(
    ("name", "fuzzer"),
    [
        ("exmple.com", "omission"),
        ("examlpe.com", "transposition"),
        ("exannple.com", "homoglyph"),
        ("example-login.com", "dictionary"),
        ("example.net", "tld-swap"),
        ("xn--exampl-gva.com", "homoglyph"),
    ],
)
def test_plain_imitations_are_thought_of(name: str, fuzzer: str) -> None:
    assert made("example.com")[name] == fuzzer


def test_the_brand_itself_and_names_that_nobody_can_register_are_not_among_them() -> None:
    names = made("www.example.co.uk")
    assert "example.co.uk" not in names
    assert "exmple.co.uk" in names
    assert all(str(registrable(name)) == name for name in names)


def test_a_brand_of_other_letters_is_imitated_as_people_see_it() -> None:
    assert "mller.de" in made("xn--mller-kva.de")


@pytest.mark.parametrize(
    ("brand", "name"),
    [
        ("xn--strae-oqa.de", "strasse.de"),
        ("strasse.de", "xn--strae-oqa.de"),
        ("meine-strasse.de", "xn--meine-strae-46a.de"),
    ],
)
def test_what_idna_2003_took_for_the_brand_imitates_it(brand: str, name: str) -> None:
    assert made(brand)[name] == "homoglyph"
    assert brand not in made(brand)


@pytest.mark.parametrize("brand", ["microsoftonline.com", "averyveryverylongbrandname.com", f"{'ab' * 31}.com"])
def test_there_is_an_end_to_them_and_likely_ones_come_first(brand: str) -> None:
    found = candidates(brand)
    assert len(found) <= MOST
    assert found[0].fuzzer == "omission"
    assert len({each.name for each in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b.example.co.uk", Registrable("example", "co.uk")),
        ("shop.example", Registrable("shop", "example")),
        ("www.shop.example", Registrable("shop", "example")),
        ("localhost", Registrable("", "localhost")),
    ],
)
def test_what_is_registered_follows_the_list_of_public_suffixes(name: str, expected: Registrable) -> None:
    assert registrable(name) == expected


def test_likeness_is_of_what_people_see() -> None:
    assert likeness("example.com", "example.net") == 100
    assert likeness("xn--mller-kva.de", "muller.de") > likeness("xn--mller-kva.de", "other.de")


def test_sockets_keep_their_patience() -> None:
    assert socket.getdefaulttimeout() is None


@settings(max_examples=25)
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.(com|example|co\.uk)", fullmatch=True))
def test_any_brand_has_candidates_that_are_names(brand: str) -> None:
    for each in candidates(brand):
        assert each.name.isascii()
        assert len(each.name) <= 253
        assert each.name != brand
