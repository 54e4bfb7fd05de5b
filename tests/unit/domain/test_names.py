"""Names of domains have one form."""

from __future__ import annotations

import pytest

from mailvane.domain.names import canonical_name


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Example.COM", "example.com"),
        (" example.com. ", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
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
    ],
)
def test_what_is_no_name_has_no_form(written: str) -> None:
    assert canonical_name(written) == ""
