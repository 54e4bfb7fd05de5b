"""What the commands of the dashboard ask of the program around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.dashboard.people.service import People


class DashboardProgram(Program, Protocol):
    def people(self) -> People:
        """Who may look at the dashboard."""

    def address(self) -> str:
        """Where a browser of this machine reaches the server, such as http://127.0.0.1:8225."""


def dashboard_program(context: typer.Context) -> DashboardProgram:
    found: DashboardProgram = program(context)
    return found
