"""The headers of a letter as the header checks log them."""

from __future__ import annotations

import pytest

from mailvane_demo.world.mail import Letter


def logged(text: str) -> str:
    (header,) = Letter("a@shop.example", [], (("Subject", text),), "<1@shop.example>", 900).logged_headers()
    return header


def test_a_short_header_is_logged_whole() -> None:
    assert logged("Überraschung") == "Subject: Überraschung"


@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_long_header_is_cut_at_two_hundred_bytes_and_never_within_a_letter(letter: str) -> None:
    header = logged(letter * 300)
    size = len(letter.encode())
    assert header.strip(letter) == "Subject: "
    assert 200 - size < len(header.encode()) <= 200
