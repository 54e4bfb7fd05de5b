"""What the commands of outbound governance ask of the program around them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.maillog.interface import MailLog
    from mailvane.outbound.governance import Governance
    from mailvane.outbound.holds import Holds
    from mailvane.outbound.send_limits import SendLimits
    from mailvane.outbound.suppression_list import SuppressionList


class OutboundProgram(Program, Protocol):
    def governance(self) -> Governance:
        """Sending domains, their limits and counters."""

    def send_limits(self) -> SendLimits:
        """Limits of mailboxes, logins and domains."""

    def suppressions(self) -> SuppressionList:
        """Recipients that mail is not to go to."""

    def holds(self) -> Holds:
        """Domains and logins on hold."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log: through the running server when there is one, opened here otherwise."""


def outbound_program(context: typer.Context) -> OutboundProgram:
    found: OutboundProgram = program(context)
    return found
