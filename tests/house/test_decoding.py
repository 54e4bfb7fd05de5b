"""A type is learnt before threads read values as it (`mailvane.core.decoding`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if path.name != "decoding.py"]
# Functions of msgspec, and where their type stands among the arguments.
READING = {
    "msgspec.convert": 1,
    "msgspec.json.decode": None,
    "msgspec.msgpack.decode": None,
    "msgspec.json.Decoder": 0,
    "msgspec.msgpack.Decoder": 0,
}
# Types without fields: nothing of them is learnt.
PLAIN = {"Annotated", "Any", "bool", "datetime", "dict", "float", "int", "list", "msgspec", "object", "str", "tuple"}


def types_read_in_functions(tree: ast.AST) -> Iterator[ast.expr]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for call in (node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        if name not in READING:
            continue
        named = next((keyword.value for keyword in call.keywords if keyword.arg == "type"), None)
        place = READING[name]
        if named is not None:
            yield named
        elif place is not None and len(call.args) > place:
            yield call.args[place]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_type_is_prepared_before_a_function_reads_it(path: Path) -> None:
    for kind in types_read_in_functions(ast.parse(path.read_text())):
        told = ast.unparse(kind)
        plain = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)} <= PLAIN
        assert plain or told.startswith("prepared("), f"{path.name}:{kind.lineno}: prepared({told})"
