"""What the command of the demo asks of the program around it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec
import typer

from mailvane.surfaces.cli.program import Program, program


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulated world behaves."""

    seed: int
    days: int  # of history before the present
    mails_per_day: int
    data: Path | None = None  # None: a temporary directory, removed at the end


class DemoProgram(Program, Protocol):
    def demo(self, options: DemoOptions) -> None:
        """Run a server with a simulated world until told to stop."""


def demo_program(context: typer.Context) -> DemoProgram:
    found: DemoProgram = program(context)
    return found
