"""Private functions that are called exactly once: how many of all functions, by room, and which.

    python benchmarks/called_once.py [--list] [--short LINES] [ROOM …]

A private function (`_name`) is counted when its own module names it exactly once besides its definition, and that once
is a call: what is handed over as a value, decorated or overridden in another class is something else. Such a function
stays when its name says more than its body; the rest belongs where it is called. `--list` prints them, shortest first.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import mailvane

SOURCE = Path(mailvane.__file__).parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Once(NamedTuple):
    """A private function with one caller."""

    path: str
    line: int
    name: str
    lines: int  # of its body, without its docstring


class Counted(NamedTuple):
    """The functions of one file."""

    every: int
    once: list[Once]


def counted(path: Path) -> Counted:
    tree = ast.parse(path.read_text())
    defined = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    names = Counter(node.name for node in defined)
    named = Counter(_name(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    called = Counter(_name(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return Counted(
        len(defined),
        [
            Once(str(path.relative_to(SOURCE)), node.lineno, node.name, _length(node))
            for node in defined
            if node.name.startswith("_") and not node.name.endswith("__") and not node.decorator_list
            if names[node.name] == 1 and named[node.name] == 1 and called[node.name] == 1
        ],
    )


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print every such function")
    parser.add_argument("--short", type=int, default=60, metavar="LINES", help="only those of at most so many lines")
    parser.add_argument("rooms", nargs="*", metavar="ROOM")
    arguments = parser.parse_args()
    rooms = arguments.rooms or sorted(path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_")
    every, once = 0, 0
    for room in rooms:
        files = [counted(path) for path in sorted((SOURCE / room).rglob("*.py"))]
        functions = sum(file.every for file in files)
        single = sorted((one for file in files for one in file.once), key=lambda one: (one.lines, one.path, one.line))
        every, once = every + functions, once + len(single)
        print(f"{room:<12}{len(single):>5} of {functions:>5} functions {len(single) / functions:>6.1%}")
        for one in single if arguments.list else ():
            if one.lines <= arguments.short:
                print(f"    {one.lines:>3}  {one.path}:{one.line} {one.name}")
    print(f"{'all':<12}{once:>5} of {every:>5} functions {once / every:>6.1%}")


if __name__ == "__main__":
    main()
