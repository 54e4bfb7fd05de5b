"""Names of domains have one form."""

from __future__ import annotations

import pytest

from mailvane.core.names import canonical_name, looked_up_name, mail_domain, readable_label


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Example.COM", "example.com"),
        (" example.com. ", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "strasse.example"),
        ("STRAẞE.Example", "xn--strae-oqa.example"),
        ("XN--STRAE-OQA.example", "xn--strae-oqa.example"),
        ("οδος.example", "xn--pxavbm.example"),
        ("ΟΔΟΣ.example", "xn--pxavbq.example"),  # a capital sigma is never a final one
        ("क्\u200dष.example", "xn--11b2ezcw70k.example"),  # a joiner where the script wants one
        ("نامه\u200cای.example", "xn--mgba3gch31f060k.example"),  # noqa: RUF001
        ("ｅｘａｍｐｌｅ．com", "example.com"),  # noqa: RUF001
        ("straße。example｡", "xn--strae-oqa.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("bü\u00adcher.example", "xn--bcher-kva.example"),
        ("_dmarc.straße.example", "_dmarc.xn--strae-oqa.example"),
        ("r3---sn-abc.example", "r3---sn-abc.example"),
        ("_dmarc.a_b.example", "_dmarc.a_b.example"),
        ("localhost", "localhost"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_names_are_stored_in_one_form(written: str, stored: str) -> None:
    assert canonical_name(written) == stored


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "a b.example",
        "a@b.example",
        "\x00.example",
        "\udcff.example",
        "a" * 64 + ".example",
        "a." * 127 + "example",
        "é" * 300 + ".example",
        "a/b.example",
        "a\n.example",
        "a\u200db.example",
        "a\u200cb.example",
        "xn--a.example",
        "xn--999999999.example",
        "xn--strasse-.example",
        "xn--.example",
        "xn--ls8h.example",
        "\u2764.example",
        "é" * 60 + ".example",
        "。",
        "é" * 1_000_000,
    ],
)
def test_what_is_no_name_has_no_form(written: str) -> None:
    assert canonical_name(written) == ""


def test_a_name_that_was_taken_before_is_still_found() -> None:
    assert looked_up_name("XN--LS8H.example.") == "xn--ls8h.example"
    assert looked_up_name("Straße.example") == "xn--strae-oqa.example"
    assert looked_up_name("a b.example") == looked_up_name("\u2764.example") == looked_up_name("a" * 9_999) == ""


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Example.COM", "example.com"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("Straße.example", "xn--strae-oqa.example"),
        ("\udcc4.Example", "\udcc4.example"),
        ("", ""),
    ],
)
def test_the_domain_of_an_address_is_kept_in_one_form(written: str, kept: str) -> None:
    assert mail_domain(written) == kept


def test_a_label_is_read_as_people_do() -> None:
    assert readable_label("xn--strae-oqa") == "straße"
    assert readable_label("xn--ls8h") == "xn--ls8h"
    assert readable_label("shop") == "shop"
