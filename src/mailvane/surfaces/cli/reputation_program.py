"""What the commands of reputation ask of the program around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import typer

from mailvane.domain.blocklists import ListingCheck
from mailvane.domain.reputation import AssetKind
from mailvane.services.alerting import Alerting
from mailvane.surfaces.cli.program import Program, program


class ReputationProgram(Program, Protocol):
    """A running server asks sources and tells people; commands look."""

    def alerting(self) -> Alerting:
        """Alerts, and what they would say."""

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        """Ask blocklists about addresses or domains."""


def reputation_program(context: typer.Context) -> ReputationProgram:
    found: ReputationProgram = program(context)
    return found
