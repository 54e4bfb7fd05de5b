"""The one reader of JSON bodies. Each dialect puts what it raises into words of its own."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput

T = TypeVar("T")


class InvalidBody(InvalidInput):
    """The body is JSON, and not of the shape that is expected."""

    @property
    def field(self) -> str:
        """Which field of the body is meant, such as `rules[0].type`; empty: the whole."""
        return self.message.partition(" - at ")[2].strip("`").removeprefix("$").lstrip(".")

    @property
    def complaint(self) -> str:
        """What is wrong with it."""
        return self.message.partition(" - at ")[0]


class NotJson(InvalidInput):
    """The body is no JSON."""


class TooDeep(NotJson):
    """The body is nested so deeply that it is not read."""


def read_json(model: type[T], body: bytes, empty: bytes = b"{}") -> T:
    """The body as a value; an empty one counts as `empty`. Raises InvalidBody, NotJson, TooDeep."""
    try:
        return msgspec.json.decode(body or empty, type=prepared(model))
    except msgspec.ValidationError as error:
        raise InvalidBody(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from None
    except RecursionError as error:
        raise TooDeep(str(error)) from None
