"""No command, setting, route or metric without its line in the reference, and no line without its thing."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

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
