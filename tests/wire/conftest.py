"""The servers that the wire tests speak to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.world import World, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One of its own for a test that changes something."""
    with opened(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests of a module, which only look."""
    with opened(tmp_path_factory.mktemp("world")) as running:
        yield running
