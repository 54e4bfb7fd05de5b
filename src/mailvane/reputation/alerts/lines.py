"""Other values that an alert's rule could compare with, so that one sees where the line is well drawn. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.comparing import Comparison, Percentage, Ratio
from mailvane.reputation.alerts.rules import read_rule

_STEPS = tuple(range(4, 17))  # tenths of the value
_FROM_NOTHING = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)  # where the value is 0, which has no tenths
_DIGITS = 6
_GREATEST: Mapping[type[Comparison], float] = {Ratio: 1.0, Percentage: 100.0}


class LineFirings(msgspec.Struct, frozen=True):
    """How often an alert would have fired with this value to compare with."""

    line: float
    firings: int


def compared_field(raw: Mapping[str, Any]) -> str | None:
    """The field of a rule that holds a number to compare with. Raises InvalidFields where the rule is none."""
    rule = read_rule(raw, "rules[0]")
    return next((name for name in rule.__struct_fields__ if isinstance(getattr(rule, name), Comparison)), None)


def lines_of(rules: Sequence[Mapping[str, Any]]) -> list[float]:
    """Values around that of the only rule, ascending, with itself among them; none where no number is compared."""
    if len(rules) != 1 or (field := compared_field(rules[0])) is None:
        return []
    value = float(rules[0][field]["value"])
    kind = get_type_hints(type(read_rule(rules[0], "rules[0]")))[field]
    greatest = _GREATEST.get(kind, float("inf"))
    scale = 1.0 if greatest > 1 else 0.01
    found = {value * step / 10 for step in _STEPS} if value else {each * scale for each in _FROM_NOTHING}
    return sorted({round(min(each, greatest), _DIGITS) for each in found} | {value})


def with_line(raw: Mapping[str, Any], line: float) -> Mapping[str, Any]:
    """The rule with another value to compare with. Raises InvalidFields."""
    field = compared_field(raw)
    if field is None:
        raise InvalidFields(("rules", "the rule compares no number"))
    return {**raw, field: {**raw[field], "value": line}}
