"""What the commands of DMARC, TLS and abuse reports ask of the program around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.dmarc.intake import Taken
    from mailvane.dmarc.senders import Senders
    from mailvane.dmarc.store.reports import ReportStore


class DmarcProgram(Program, Protocol):
    def reports(self) -> ReportStore:
        """The reports that were taken in."""

    def senders(self) -> Senders:
        """Who sent, by name of the service."""

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        """Take in files of reports; what became of each report in them."""


def dmarc_program(context: typer.Context) -> DmarcProgram:
    found: DmarcProgram = program(context)
    return found
