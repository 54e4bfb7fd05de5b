"""What a file would change: each change as it is shown, with what makes it. No store is known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

LARGEST = 1 << 20  # bytes of a file


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as the file says. Secrets are never shown."""

    action: Action
    what: str  # such as "domain"
    name: str
    fields: Mapping[str, tuple[Any, Any]] = {}  # what it is, and what it is to be

    @property
    def text(self) -> str:
        told = ", ".join(f"{name} {_said(old)} -> {_said(new)}" for name, (old, new) in self.fields.items())
        return f"{self.action.value} {self.what} {self.name}{f': {told}' if told else ''}"


class Step(NamedTuple):
    """A change, and how it is made."""

    change: Change
    make: Callable[[], object]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, or was done, in this order; `unlisted` is there, not in the file, and stays."""

    changes: tuple[Change, ...]
    unlisted: tuple[Change, ...] = ()
    addresses: Mapping[str, str] = {}  # paths of heartbeats that were made, by name: they are told this once


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields of `new` that `old` has otherwise."""
    return {name: (old.get(name), value) for name, value in new.items() if old.get(name) != value}


def _said(value: object) -> str:
    return msgspec.json.encode(value).decode()
