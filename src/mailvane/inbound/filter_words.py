"""Conditions of filters as people write and read them: `COMPONENT OPERATOR VALUE`, such as `from ends_with @x.example`.

The header field of the component `header` stands behind a colon: `header:List-Id exists`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args, get_type_hints

from mailvane.core.errors import InvalidInput
from mailvane.inbound.model import Condition, Filter, RuleGroup

_HINTS = get_type_hints(Condition)
COMPONENTS: tuple[str, ...] = get_args(_HINTS["component"])
OPERATORS: tuple[str, ...] = get_args(_HINTS["operator"])


def read_condition(text: str) -> Condition:
    """Raises InvalidInput."""
    component, _, rest = text.strip().partition(" ")
    operator, _, value = rest.strip().partition(" ")
    component, _, name = component.partition(":")
    if component not in COMPONENTS:
        raise InvalidInput(f"{component[:40]!r} is nothing that a filter looks at: expected {', '.join(COMPONENTS)}")
    operator = operator.replace("-", "_")
    if operator not in OPERATORS:
        raise InvalidInput(f"{operator[:40]!r} is no operator: expected {', '.join(OPERATORS)}")
    return Condition(component=component, operator=operator, value=value.strip(), name=name)  # type: ignore[arg-type]


def groups_of(every: Sequence[str], some: Sequence[str]) -> tuple[RuleGroup, ...]:
    """Of conditions that all must hold, and of those of which at least one must. Raises InvalidInput."""
    found = (
        RuleGroup(match="all", conditions=tuple(map(read_condition, every))),
        RuleGroup(match="any", conditions=tuple(map(read_condition, some))),
    )
    return tuple(group for group in found if group.conditions)


def words(rule: Filter) -> str:
    """All conditions in a line."""
    groups = [_group(group) for group in rule.groups if group.conditions]
    return " and ".join(groups) if len(groups) < 2 else " and ".join(f"({group})" for group in groups)


def _group(group: RuleGroup) -> str:
    joint = " or " if group.match == "any" else " and "
    return joint.join(_condition(one) for one in group.conditions)


def _condition(one: Condition) -> str:
    name = f":{one.name}" if one.name else ""
    return f"{one.component}{name} {one.operator} {one.value}".rstrip()
