"""Pages that begin behind a row: the row's place as a condition, whether the row is still there or not."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from mailvane.maillog.queries import LogQuestion, Place, RefusedPlace, RefusedQuestion

_Asked = TypeVar("_Asked", LogQuestion, RefusedQuestion)

_TYPES = {"accepted_at": "Int64", "number": "UInt32", "relay": "UInt32", "recipient_number": "UInt32",
          "recipient": "String", "at": "Int64", "line": "UInt64"}  # fmt: skip
_OF_MAIL = ("accepted_at", "number", "relay")


def bounded(question: _Asked) -> _Asked:
    """With the stretch of time in which the page lies: it leads the sort key, the place as a whole does not."""
    if question.after is None:
        return question
    at = question.after.accepted_at
    if question.ascending:
        return msgspec.structs.replace(question, since=at if question.since is None else max(at, question.since))
    return msgspec.structs.replace(question, until=at if question.until is None else min(at, question.until))


def behind(question: LogQuestion | RefusedQuestion) -> tuple[str, dict[str, object]] | None:
    """SQL and its values; None where the page begins with the first row."""
    place: Place | RefusedPlace | None = question.after
    if place is None:
        return None
    by_message = isinstance(question, LogQuestion) and question.by_message
    names = _OF_MAIL if by_message else place.__struct_fields__
    values = {f"after_{name}": getattr(place, name) for name in names}
    told = ", ".join(f"{{after_{name}:{_TYPES[name]}}}" for name in names)
    return f"({', '.join(names)}) {'>' if question.ascending else '<'} ({told})", values
