"""All rule types, found by their folder, and the way from what a user wrote to a rule. Pure."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import msgspec

from mailvane.alerts import rules
from mailvane.alerts.names import spelled
from mailvane.alerts.rule import Rule
from mailvane.errors import InvalidFields


def _found() -> dict[str, type[Rule]]:
    modules = (
        importlib.import_module(f"{rules.__name__}.{each.name}") for each in pkgutil.iter_modules(rules.__path__)
    )
    return {rule.TYPE: rule for module in modules for rule in _declared(module)}


def _declared(module: ModuleType) -> list[type[Rule]]:
    kinds = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    return [kind for kind in kinds if issubclass(kind, Rule)]


_MISSING = re.compile(r"Object missing required field `(\w+)`")
CATALOGUE: Mapping[str, type[Rule]] = _found()


def read_rule(raw: object, place: str) -> Rule:
    """One rule of an alert. Raises InvalidFields, naming the field by the rule's place, such as `rules[0].rbls`."""
    if not isinstance(raw, Mapping):
        raise InvalidFields((place, "a rule is an object"))
    name = raw.get("type")
    kind = CATALOGUE.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidFields((f"{place}.type", "there is no such rule type"))
    try:
        return msgspec.convert(kind.mended(raw), kind, dec_hook=spelled)
    except msgspec.ValidationError as error:
        raise InvalidFields(_named(str(error), kind, raw, place)) from None


def _named(told: str, kind: type[Rule], raw: Mapping[str, Any], place: str) -> tuple[str, str]:
    """Which field is wrong, and how."""
    reason, _, where = told.partition(" - at ")
    if where:
        field = place + "." + where.strip("`").removeprefix("$.").removeprefix("$")
        inner = _MISSING.fullmatch(reason)
        return (f"{field}.{inner[1]}", "is required") if inner else (field, reason)
    missing = next((name for name in kind.__struct_fields__ if name not in raw), "")
    return (f"{place}.{missing}", "is required") if missing else (place, reason)
