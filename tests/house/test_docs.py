"""No command, setting, route or metric without its line in the reference, and no line without its thing."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from mailvane.server.cli import build

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("commands.md", "settings.md", "http.md", "metrics.md", "rules.md")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    found = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_says_what_the_program_says(generator: ModuleType, page: str) -> None:
    assert (DOCS / "reference" / page).read_text() == generator.pages()[page], "run `make docs`"


def named_commands() -> Iterator[tuple[str, list[str]]]:
    """What stands as `mailvane …` within a line of the program's texts and of the guides, and where."""
    root = DOCS.parent
    source = root / "src" / "mailvane"
    told = [path for kind in ("py", "toml", "html", "j2") for path in source.rglob(f"*.{kind}")]
    for path in [*told, *DOCS.glob("[hw]*/*.md"), *root.glob("*.md"), *root.glob("*/README.md")]:
        for words in re.findall(r"(?<!`)`mailvane ([^`\n]+)`(?!`)", path.read_text()):
            yield str(path.relative_to(root)), words.split()
    for path in (root / "deploy" / "monitoring").glob("alerts*.yml"):
        for action in re.findall(r'action: "([^"\n]+)"', path.read_text()):
            for words in re.findall(r"mailvane ([a-z][^,;]*)", action):
                yield str(path.relative_to(root)), re.sub(r"{{.*?}}", "1", words).split()


def said_of(rest: list[str]) -> list[str]:
    """What stands behind an option, where it is a value and no placeholder."""
    return [one for one in rest[0].split("|") if one[:1].islower()] if rest else []


def choices_of(option: Any, otherwise: str) -> list[str]:
    """The words that an option takes; any where it takes any."""
    choices = getattr(option.type, "choices", None) if option else None
    return [one.value if isinstance(one, Enum) else str(one) for one in choices] if choices else [otherwise]


def unknown_word(command: Any, words: list[str]) -> str:
    """The first that the program would not take as a command, an option or its choice; empty where there is none."""
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for place, word in enumerate(words):
        children = getattr(command, "commands", {})
        if word.startswith("--"):
            if word.partition("=")[0] not in {*options, "--help"}:
                return word
            if wrong := [one for one in said_of(words[place + 1 :]) if one not in choices_of(options.get(word), one)]:
                return wrong[0]
        elif children and word[0].islower():
            found = [children.get(one) for one in word.split("|")]
            unknown = [unknown_word(each, words[place + 1 :]) if each else word for each in found]
            return next(filter(None, unknown), "")
    return ""


def test_every_command_that_a_text_names_is_one() -> None:
    program = typer.main.get_command(build())
    found = list(named_commands())
    assert len(found) > 100
    assert [(path, *words) for path, words in found if unknown_word(program, words)] == []


def test_every_generated_page_is_compared(generator: ModuleType) -> None:
    assert set(generator.pages()) == set(PAGES)


def test_a_wheel_has_all_that_the_guide_to_deployment_copies_and_the_pages_that_it_and_the_program_name() -> None:
    root = DOCS.parent
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    packed = {path for patterns in listed.values() for pattern in patterns for path in root.glob(pattern)}
    pages = {path for room in ("how-to", "reference", "why") for path in (DOCS / room).iterdir()}
    assert packed == pages | {path for path in (root / "deploy").rglob("*") if path.is_file()}
    for place, patterns in listed.items():
        assert {f"share/mailvane/{Path(pattern).parent}" for pattern in patterns} == {place}
