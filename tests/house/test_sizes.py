"""The limits of style: small functions, small files, few parameters, plain names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted(SOURCE.rglob("*.py"))
FUNCTION_LINES = 60
FILE_LINES = 500
PARAMETERS = 6
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
# A command's parameters are its options: ruff's exemption with a reason stands on the line.
EXEMPTION = "noqa: PLR0913  "
# What a command line must not wait for: the libraries of a server, an engine or a migration, which take a second.
LATE = {
    "mailvane/core/ledger/migration.py",
    "mailvane/dmarc/oauth.py",  # an extra
    "mailvane/maillog/clickhouse/embedded.py",  # the engine: 550 MB, which a mail log on a server does not need
    "mailvane/maillog/dates.py",
    "mailvane/notify/apprise_channel.py",  # an extra, which takes half a second
    "mailvane/reputation/sources/lookalikes/candidates.py",
    "mailvane/reputation/sources/postmaster/collector.py",
    "mailvane/server/asking.py",
    "mailvane/server/cli.py",
    "mailvane/server/import_worker.py",
    "mailvane/server/inbound.py",  # the HTTP client, which only learning from a decision needs
    "mailvane/server/login_provider.py",  # an extra
    "mailvane/server/mailboxes.py",  # the resolver, which only the health of a domain needs
    "mailvane/server/main.py",
    "mailvane/server/ses.py",
    "mailvane/server/tracing.py",  # an extra
    "mailvane_demo/command.py",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES
    assert ast.get_docstring(tree), "a module opens by saying what it is"
    assert not VAGUE_NAMES & set(path.with_suffix("").parts[-3:])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_second_subject_has_a_module_of_its_own(path: Path) -> None:
    """A comment that stands alone between two definitions is the docstring of a module; `# --` heads a section."""
    alone = re.findall(r"\n\n\n(#.*)\n(?:#.*\n)*\n\n", path.read_text(encoding="utf-8"))
    assert [line for line in alone if not line.startswith("# --")] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_stay_small_and_take_few_parameters(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    for function in functions(ast.parse(text)):
        assert function.end_lineno is not None
        length = function.end_lineno - function.lineno + 1
        assert length <= FUNCTION_LINES, f"{function.name} has {length} lines"
        arguments = function.args
        count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
        count -= bool(arguments.args) and arguments.args[0].arg in {"self", "cls"}
        assert count <= PARAMETERS or EXEMPTION in lines[function.lineno - 1], f"{function.name} takes {count}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_stand_at_the_top_where_types_and_contracts_see_them(path: Path) -> None:
    text = path.read_text()
    assert "import_module" not in text, "an import by a string hides what is needed"
    for function in functions(ast.parse(text)):
        inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not inner or name_of(path) in LATE, f"{function.name} imports inside"
