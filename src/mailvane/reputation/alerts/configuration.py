"""What each rule type takes, told for people: its fields, what may stand in them, an example. Made from the types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from mailvane.reputation.alerts.rule import ANY, Address, DomainName, Named, Rule, ZoneName

_ALL_ADDRESSES = "`ALL_IPS`, `ALL_GP_IPS`, `ALL_SNDS_IPS` or `ALL_TRAPS_IPS` for all of them"
_ALL_DOMAINS = "`ALL_DOMAINS`, `ALL_GP_DOMAINS` or `ALL_TRAPS_DOMAINS` for all of them"
_ESTEEMED = "`HIGH_REPUTATION` for all that are held in high esteem"
_NAMES: Mapping[type, tuple[str, str, str]] = {
    Address: (
        "IP addresses",
        "`ALL_IPS`, `ALL_GP_IPS`, `ALL_SNDS_IPS` or `ALL_TRAPS_IPS` for all of them",
        "192.0.2.1",
    ),
    DomainName: ("domains", _ALL_DOMAINS, "shop.example"),
    ZoneName: (
        "host names of blocklists",
        "`HIGH_REPUTATION` for all that are held in high esteem",
        "zen.spamhaus.org",
    ),
    Named: ("names", f"`{ANY}` for any", ANY),
}


class Parameter(msgspec.Struct, frozen=True):
    """A field of a rule, or of an object that stands in it (`gp_spf_success_ratio.value`)."""

    name: str
    takes: str
    example: Any
    choices: tuple[str, ...] = ()  # the only words that may stand there
    is_list: bool = False


def parameters_of(rule: type[Rule]) -> tuple[Parameter, ...]:
    """All that a rule of this type needs; none may be left out."""
    hints = get_type_hints(rule, include_extras=True)
    return tuple(told for name in rule.__struct_fields__ for told in _parameters(name, hints[name]))


def example_of(rule: type[Rule]) -> dict[str, Any]:
    """A rule that is taken."""
    found: dict[str, Any] = {"type": rule.TYPE}
    for parameter in parameters_of(rule):
        field, _, inner = parameter.name.partition(".")
        if inner:
            found.setdefault(field, {})[inner] = parameter.example
        else:
            found[field] = parameter.example
    return found


def _parameters(name: str, hint: Any) -> Iterator[Parameter]:
    kind, meta = _bare(hint)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        inner = get_type_hints(kind, include_extras=True)
        for field in kind.__struct_fields__:
            yield from _parameters(f"{name}.{field}", inner[field])
    elif isinstance(kind, type) and issubclass(kind, Enum):
        words = [str(each.value) for each in kind]
        yield Parameter(name, "one of " + _listed(words), "gt" if "gt" in words else words[0], tuple(words))
    elif element := next(iter(get_args(kind)), None):
        choices = _choices_of(element)
        yield Parameter(name, *_list_of(element), choices=choices, is_list=True)
    else:
        yield Parameter(name, _range(meta), 0.2 if meta is not None and meta.le == 1 else _example(meta))


def _example(meta: Meta | None) -> float:
    least = meta.ge if meta is not None and meta.ge is not None else 0
    return max(2, least)


def _choices_of(element: Any) -> tuple[str, ...]:
    kind, _ = _bare(element)
    return tuple(str(each.value) for each in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _list_of(element: Any) -> tuple[str, list[str]]:
    kind, _ = _bare(element)
    if kind in _NAMES:
        what, words, example = _NAMES[kind]
        return f"list of {what}, or {words}", [example]
    values = [str(each.value) for each in kind]
    return f"list of {_listed(values)}", [values[-1]]


def _bare(hint: Any) -> tuple[Any, Meta | None]:
    """Without what is annotated."""
    meta = next((each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Meta)), None)
    return (get_args(hint)[0] if hasattr(hint, "__metadata__") else hint), meta


def _range(meta: Meta | None) -> str:
    if meta is None or meta.ge is None:
        return "number"
    steps = f", in steps of {meta.multiple_of}" if meta.multiple_of is not None else ""
    return (f"number from {meta.ge} to {meta.le}" if meta.le is not None else f"number, {meta.ge} or more") + steps


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
