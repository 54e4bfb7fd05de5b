"""Addresses are read as they are meant, and what is none is unknown."""

from __future__ import annotations

import pytest

from mailvane.dmarc.readers.addresses import UNKNOWN, as_it_is_meant, canonical


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.63", "192.0.2.63"),
        ("::ffff:c000:23f", "192.0.2.63"),
        ("::192.0.2.1", "::192.0.2.1"),
        ("192.0.2", None),
        ("192.000.002.061", None),
        ("fe80::1%eth0", None),
        ("", None),
        ("1\0", None),
    ],
)
def test_an_address_is_brought_into_one_form(text: str, address: str | None) -> None:
    assert canonical(text) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 192.0.2.62\n", "192.0.2.62"),
        ("192.0.2.60:25", "192.0.2.60"),
        ("192.000.002.061", "192.0.2.61"),
        ("fe80::1%eth0", "fe80::1"),
        ("[2001:db8::64]", "2001:db8::64"),
        ("[2001:db8::64]:587", "2001:db8::64"),
        ("[IPv6:2001:db8::64]", "2001:db8::64"),
        ("[192.0.2.1]:25", "192.0.2.1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        *((each, UNKNOWN) for each in ("X.X.X.X", "", "192.0.2.xxx", "192.0.2.256", "unknown", "[", "9" * 5000)),
    ],
)
def test_what_surrounds_an_address_is_left_away(text: str, address: str) -> None:
    assert as_it_is_meant(text) == address
