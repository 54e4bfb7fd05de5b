"""What every command asks of the program around it. The composition root implements it; the commands know no engine.

What the commands of one room ask besides stands with them: a protocol that builds on this one.
"""

from __future__ import annotations

from typing import Any, Protocol
from zoneinfo import ZoneInfo

import typer

<<<<<<< HEAD
=======
from mailvane.config import Settings
from mailvane.domain.blocklists import ListingCheck
from mailvane.domain.reputation import AssetKind
from mailvane.services.alerting import Alerting
from mailvane.services.governance import Governance
from mailvane.services.ownership import Ownership
from mailvane.services.report_intake import Taken
>>>>>>> 8439b5c (ledger: mail of a ledger that was lost is nobody's until it is adopted or dropped)
from mailvane.services.tenancy import Tenancy


class Program(Protocol):
    """Where and when a command runs, and the tenants."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that times are read and shown in."""

    def now(self) -> int:
        """The clock: milliseconds since the epoch."""

    def tenancy(self) -> Tenancy:
        """Workspaces, relays and keys."""


<<<<<<< HEAD
def program(context: typer.Context) -> Any:
    """The program that the command line was built around: a room takes it as what its commands ask for."""
    return context.obj
=======
    def reputation(self) -> ReputationProgram:
        """What is watched, alerts, reports."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log: through the running server when there is one, opened here otherwise."""

    def ownership(self) -> AbstractContextManager[Ownership]:
        """Whose mail it is, of stores that need not belong together; no server may have the mail log open."""

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        """Read Postfix logs; returns when every event can be queried."""

    def serve(self, roles: frozenset[str]) -> None:
        """Run until told to stop."""

    def demo(self, options: DemoOptions) -> None:
        """Run a server with a simulated world until told to stop."""

    def backup(self, directory: Path) -> None:
        """Write both stores to an empty directory."""

    def restore(self, directory: Path) -> None:
        """Fill an empty data directory from a backup."""

    def checks(self) -> Iterator[Check]:
        """Look at everything that can be wrong."""
>>>>>>> 8439b5c (ledger: mail of a ledger that was lost is nobody's until it is adopted or dropped)


def tenants_program(context: typer.Context) -> Program:
    """For commands on workspaces, relays and keys."""
    found: Program = context.obj
    return found
