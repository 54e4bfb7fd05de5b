"""What the tables of the settings file have in common: unknown keys, errors in one line, defaults.

No table is known here; each has a module of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Meta

from mailvane.errors import InvalidSetting


class TableKey(NamedTuple):
    """A key of a table, for whoever lists them all."""

    name: str
    default: str
    help: str


def check_names(table: Mapping[str, Any], names: Collection[str], where: str) -> None:
    """Raises InvalidSetting for a key that there is not."""
    for name in table:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidSetting(f"{where}: {name}: there is no such key{hint}")


def plain(error: msgspec.ValidationError) -> str:
    """What is wrong, and where, for people."""
    told, _, place = str(error).partition(" - at ")
    return f"{place.strip('`').removeprefix('$.')}: {told}" if place else told


def description_of(hint: Any) -> str:
    """The help that stands with a key's type."""
    return next((each.description for each in hint.__metadata__ if isinstance(each, Meta) and each.description), "")


def as_toml(value: Any) -> str:
    """As it would stand in the file."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {as_toml(each)}" for name, each in value.items()) + " }" if value else "{}"
    return "" if value is None else msgspec.json.encode(value).decode()
