"""All rule types, a module for each source, which lists its own in `RULES`; and how a rule is read from JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.rule import Rule, normalized
from mailvane.reputation.alerts.rules import blocklists, dmarc, google_postmaster, lookalikes, mail, own, snds, traps

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_SOURCES = (blocklists, dmarc, google_postmaster, lookalikes, snds, traps, own, mail)
CATALOGUE: Mapping[str, type[Rule]] = {rule.TYPE: rule for source in _SOURCES for rule in source.RULES}


def read_rule(raw: object, place: str) -> Rule:
    """One rule of an alert. Raises InvalidFields, naming the field by the rule's place, such as `rules[0].rbls`."""
    if not isinstance(raw, Mapping):
        raise InvalidFields((place, "a rule is an object"))
    name = raw.get("type")
    kind = CATALOGUE.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidFields((f"{place}.type", "there is no such rule type"))
    try:
        return msgspec.convert(kind.adapted(raw), prepared(kind), dec_hook=normalized)
    except msgspec.ValidationError as error:
        raise InvalidFields(_named(str(error), kind, raw, place)) from None


def _named(message: str, kind: type[Rule], raw: Mapping[str, Any], place: str) -> tuple[str, str]:
    """Which field is wrong, and how."""
    reason, _, where = message.partition(" - at ")
    if where:
        field = place + "." + where.strip("`").removeprefix("$.").removeprefix("$")
        inner = _MISSING.fullmatch(reason)
        return (f"{field}.{inner[1]}", "is required") if inner else (field, reason)
    missing = next((name for name in kind.__struct_fields__ if name not in raw), "")
    return (f"{place}.{missing}", "is required") if missing else (place, reason)
