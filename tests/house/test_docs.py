"""No command, setting, route or metric without its line in the reference, and no line without its thing."""

from __future__ import annotations

import importlib.util
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
