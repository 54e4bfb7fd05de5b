"""What the tables of the settings file have in common: unknown keys, errors in one line, defaults.

No table is known here; each has a module of its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidSetting


class Part(NamedTuple):
    """What one room says in a table of the settings file. Several rooms may share a table; no key is in two of them."""

    kind: type[msgspec.Struct]
    inner: tuple[str, ...] = ()  # keys that are tables themselves
    check: Callable[[Any, str], None] = lambda _read, _where: None  # (values, where); raises InvalidSetting


class TableKey(NamedTuple):
    """A key of a table, for whoever lists them all."""

    name: str
    default: str
    help: str
    choices: tuple[str, ...] = ()  # the words that it takes; empty where it takes others, too


def check_names(table: Mapping[str, Any], names: Collection[str], where: str) -> None:
    """Raises InvalidSetting for a key that there is not."""
    for name in table:
        check_name(name, names, "key", f"{where}: ")


def check_name(name: str, names: Collection[str], what: str, where: str = "") -> None:
    """Raises InvalidSetting for a name that there is not."""
    if name not in names:
        raise InvalidSetting(f"{where}{name}: there is no such {what}{nearest(name, names)}")


def nearest(name: str, names: Collection[str]) -> str:
    """To be said after a name that there is not: which one may have been meant."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def beside(path: Path, text: str) -> Path:
    """A path written in the file is relative to the file, wherever the server is started."""
    return path.absolute().parent / Path(text).expanduser()


def time_zone(text: str) -> ZoneInfo:
    """Raises InvalidSetting."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise InvalidSetting(f"there is no time zone {text!r}; expected a name such as Europe/Berlin") from None


def plain(error: object, kind: type[msgspec.Struct] | None = None) -> str:
    """A message of msgspec's: where, and what is wrong; what is expected where a key of `kind` takes certain words."""
    reason, _, field = str(error).partition(" - at ")
    path = field.replace("`", "").removeprefix("key in ").removeprefix("$").removeprefix(".")
    hint = _at(kind, path) if kind else None
    if "enum" in reason:
        of_keys = get_args(hint) if field.startswith("`key`") else ()
        expected = choices_of(of_keys[0] if of_keys else hint)
        reason += f"; expected one of {', '.join(filter(None, expected))}" if expected else ""
    if "unknown field" in reason and isinstance(hint, type):
        reason = f"there is no {reason.split('`')[1]}; there are {', '.join(get_type_hints(hint))}"
    return f"{path}: {reason}" if path else reason


def _at(kind: Any, path: str) -> Any:
    """The type at a place of a table; None where nothing is known of it."""
    hint = _bare(kind)
    for step in filter(None, re.sub(r"\[.*?\]", ".*", path).split(".")):
        inner = [each for each in get_args(hint) if each is not ...]
        known = get_type_hints(hint) if isinstance(hint, type) and get_origin(hint) is None else {}
        hint = _bare((inner[-1] if inner else None) if step == "*" else known.get(step))
    return hint


def _bare(hint: Any) -> Any:
    """Without what is said beside it, or may stand in place of it."""
    return _bare(get_args(hint)[0]) if get_origin(hint) in (Annotated, Union, UnionType) else hint


def description_of(hint: Any) -> str:
    """The help that stands with a key's type."""
    return next((each.description for each in hint.__metadata__ if isinstance(each, Meta) and each.description), "")


def as_toml(value: Any) -> str:
    """As it would stand in the file."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {as_toml(each)}" for name, each in value.items()) + " }" if value else "{}"
    return "" if value is None else msgspec.json.encode(value).decode()


def read_parts(table: object, where: str, parts: Sequence[Part]) -> list[Any]:
    """The table as it was written, a value for each part. Raises InvalidSetting with one line that says which key."""
    if not isinstance(table, dict):
        raise InvalidSetting(f"{where}: expected a table")
    check_names(table, [name for part in parts for name in part.kind.__struct_fields__], where)
    return [_read_part(table, where, part) for part in parts]


def _read_part(table: Mapping[str, Any], where: str, part: Part) -> Any:
    hints = get_type_hints(part.kind)
    for name in part.inner:
        if isinstance(table.get(name), dict):
            check_names(table[name], hints[name].__struct_fields__, f"{where}: {name}")
    try:
        read = msgspec.convert({name: each for name, each in table.items() if name in hints}, prepared(part.kind))
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{where}: {plain(error, part.kind)}") from None
    part.check(read, where)
    return read


def choices_of(hint: Any) -> tuple[str, ...]:
    """The words that a type takes; empty where it takes others, too."""
    hint = _bare(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return tuple(map(str, inner))
    if origin in (tuple, list):
        return choices_of(inner[0])
    return tuple(str(one.value) for one in hint) if isinstance(hint, type) and issubclass(hint, Enum) else ()


def declared_parts(parts: Sequence[Part]) -> list[TableKey]:
    """Every key, in the order in which people should read of them: those of the tables in it come last."""
    keys = [key for part in parts for key in _keys(part.kind, "", part.inner)]
    return keys + [
        key
        for part in parts
        for name in part.inner
        for key in _keys(get_type_hints(part.kind)[name], f"{name}.", part.inner)
    ]


def _keys(kind: type[msgspec.Struct], prefix: str, inner: Collection[str]) -> list[TableKey]:
    defaults = msgspec.to_builtins(kind())
    return [
        TableKey(
            prefix + name,
            "see below" if name in inner else as_toml(defaults[name]),
            description_of(hint),
            choices_of(hint),
        )
        for name, hint in get_type_hints(kind, include_extras=True).items()
    ]
