"""The children of a root come one by one, whole, and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import ParseError, tostring

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.readers.aggregate import children


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for place in range(0, len(content), size):
        yield content[place : place + size]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_each_child_comes_whole_and_in_order(size: int) -> None:
    content = b"<r><a>1<b>2</b></a>between<a x='3'/><c>4</c></r>"
    found = [(root.tag, part) for root, part in children(pieces(content, size))]
    assert found[0] == ("r", None)
    assert [tostring(part).split(b"between")[0] for _, part in found[1:] if part is not None] == [
        b"<a>1<b>2</b></a>", b'<a x="3" />', b"<c>4</c>",
    ]  # fmt: skip


def test_what_is_cut_off_is_an_error() -> None:
    with pytest.raises(ParseError):
        list(children(pieces(b"<r><a>1</a>", 4)))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<r><a>" + b"x" * 5_000_000 + b"</a></r>", "one part of it has more than"),
        (b"<r>" + b"<a>" * 60_000, "one part of it has more than"),
        (b"<r><!--" + b"x" * 5_000_000 + b"--></r>", "one part of it has more than"),
        (b"<r>" + b"".join(b"<a%d></a%d>" % (n, n) for n in range(100_000)) + b"</r>", "10,000 different names"),
        (b"<r>" + b"".join(b"<a x%d='%s'/>" % (n, b"y" * 20) for n in range(60_000)) + b"</r>", "different names"),
    ],
    ids=["text", "depth", "comment", "names", "attributes"],
)
def test_what_would_fill_memory_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        list(children(pieces(content, 65_536)))
