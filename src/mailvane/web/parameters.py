"""What Mailvane's own interface reads of a request: times, numbers.

Times are ISO 8601, or milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Any

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import iso_ms
from mailvane.web.endpoints import Asked, Parameter

Moment = int | str


def moment(name: str, given: Moment) -> int:
    """In milliseconds. Raises InvalidFields."""
    if isinstance(given, int):
        if not 0 <= given < 2**53:
            raise InvalidFields((name, "expected milliseconds since the epoch"))
        return given
    try:
        found = iso_ms(given)
    except ValueError:
        raise InvalidFields((name, "expected a time such as 2026-07-06T00:00:00.000Z")) from None
    if found < 0:
        raise InvalidFields((name, "expected a time since 1970"))
    return found


def part(usual: int, most: int) -> tuple[Parameter, Parameter]:
    """The parameters that say which part of a list is asked for."""
    return (
        Parameter("offset", "Rows to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
        Parameter("limit", "Rows at most.", {"type": "integer", "minimum": 0, "maximum": most, "default": usual}),
    )


def number(asked: Asked, name: str, usual: int, most: int) -> int:
    """A parameter that counts. Raises InvalidFields."""
    text: Any = asked.query.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and int(text) <= most):
        raise InvalidFields((name, f"expected a number from 0 to {most}"))
    return int(text)
