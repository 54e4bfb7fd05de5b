"""Every documented setting is read by the program: a field that nobody looks at would be a promise without effect.

A field counts as read where a module that knows its struct, by name or through the field that holds one, takes the
attribute. The modules that declare and read settings do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import pytest

from mailvane.server.settings import Settings

SOURCE = Path(__file__).parents[2] / "src" / "mailvane"


class Module(NamedTuple):
    names: frozenset[str]
    attributes: frozenset[str]


def module(path: Path) -> Module:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    return Module(
        frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
        frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)),
    )


@cache
def modules() -> list[Module]:
    return [module(path) for path in sorted(SOURCE.rglob("*.py")) if path.name != "settings.py"]


def structs_in(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from structs_in(part)


def declared(kind: type[msgspec.Struct], holders: frozenset[str]) -> Iterator[tuple[type, frozenset[str], str]]:
    """Each field of a settings struct and of those in it, with the fields that hold a value of its struct."""
    for field in msgspec.structs.fields(kind):
        yield kind, holders, field.name
        for inner in structs_in(field.type):
            yield from declared(inner, frozenset({field.name}))


FIELDS = list(declared(Settings, frozenset({"settings", "_settings"})))


@pytest.mark.parametrize(
    ("kind", "holders", "field"), FIELDS, ids=[f"{kind.__name__}.{field}" for kind, _, field in FIELDS]
)
def test_a_setting_is_read_by_the_program(kind: type, holders: frozenset[str], field: str) -> None:
    knowing = [each for each in modules() if kind.__name__ in each.names or holders & each.attributes]
    assert any(field in each.attributes for each in knowing), f"nothing reads {kind.__name__}.{field}"
