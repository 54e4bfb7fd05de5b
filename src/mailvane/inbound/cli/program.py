"""What the commands on inbound mail ask of the program around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import typer

from mailvane.core.cli.program import Program, program
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting
from mailvane.inbound.health.settings import HealthSettings
from mailvane.notify.settings import OutgoingMail


class HealthProgram(Program, Protocol):
    """A running server reports by its schedule; commands report now."""

    @property
    def health_settings(self) -> HealthSettings: ...

    @property
    def outgoing_mail(self) -> OutgoingMail:
        """The SMTP server that mail leaves by."""

    def health(self, *, keeps: bool = True) -> HealthReporting:
        """What makes reports, and keeps readings for their trends unless told otherwise."""

    def teams(self, names: Sequence[str]) -> Sequence[AskedTeam]:
        """Those of the settings, all when none is named. Raises InvalidInput."""


def health_program(context: typer.Context) -> HealthProgram:
    found: HealthProgram = program(context)
    return found
