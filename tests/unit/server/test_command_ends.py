"""What a command has opened is given back when it ends."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mailvane.server import cli
from mailvane.server.main import Mailvane
from mailvane.server.settings import load


def test_stores_are_closed_before_the_interpreter_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded engine ends with the interpreter, and a mail log that is looked at after it cannot be read."""
    closed: list[Mailvane] = []
    close = Mailvane.close

    def noted(program: Mailvane) -> None:
        close(program)
        closed.append(program)

    monkeypatch.setattr(Mailvane, "close", noted)
    monkeypatch.setattr(sys, "argv", ["mailvane", "workspace", "list"])
    with suppress(SystemExit):
        cli.run(lambda given: Mailvane(load(given, {"MAILVANE_DATA": str(tmp_path)})))
    assert len(closed) == 1
