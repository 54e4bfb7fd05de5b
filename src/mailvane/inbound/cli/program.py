"""What the commands on inbound mail ask of the program around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import typer

from mailvane.core.cli.program import Program, program
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting
from mailvane.inbound.health.settings import HealthSettings


class HealthProgram(Program, Protocol):
    """A running server reports by its schedule; commands report now."""

    @property
    def health_settings(self) -> HealthSettings: ...

    def health(self) -> HealthReporting:
        """What makes reports."""

    def teams(self, names: Sequence[str]) -> Sequence[AskedTeam]:
        """Those of the settings, all when none is named. Raises InvalidInput."""


def health_program(context: typer.Context) -> HealthProgram:
    found: HealthProgram = program(context)
    return found
