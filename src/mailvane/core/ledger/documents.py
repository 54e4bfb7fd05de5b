"""Values as JSON text in a column, and the statements that keep and find them. Knows no table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_SURROGATES = re.compile("[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(order="deterministic")


def text_of(value: object) -> str:
    """As JSON. What no encoding knows, half a surrogate pair, becomes U+FFFD."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return _encoder.encode(_mended(msgspec.to_builtins(value))).decode()


def plain(text: str) -> str:
    """As a column of text can hold it: NUL is the one character that PostgreSQL refuses."""
    return _SURROGATES.sub("\ufffd", text).replace("\0", "\ufffd")


def value_of(text: str, kind: type[_T]) -> _T:
    return msgspec.json.decode(text, type=kind)


def in_chunks(values: Iterable[_T], size: int) -> Iterator[Sequence[_T]]:
    """A few at a time, so that a stream of any length passes through little memory."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_mended(each) for each in value]
    return value
