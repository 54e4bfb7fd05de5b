"""What the commands on inbound mail ask of the program around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import typer

from mailvane.core.cli.program import Program, program
from mailvane.core.cli.selection import chosen_workspace
from mailvane.inbound.model import AuditEntry

if TYPE_CHECKING:
    from mailvane.inbound.digest.sending import Digest, Digests
    from mailvane.inbound.health.model import HealthReport, Release, Remedied
    from mailvane.inbound.health.settings import Team
    from mailvane.inbound.services import InboundServices

ACTOR = "command line"


class HealthDesk(Protocol):
    """Makes health reports, tells them, and acts on them."""

    async def report(self, names: Sequence[str]) -> HealthReport:
        """Of these teams, of all when none is named; its readings are kept. Raises InvalidInput."""

    async def report_of(self, team: Team) -> HealthReport:
        """Of one that the settings need not know; nothing is kept."""

    async def scheduled(self) -> HealthReport:
        """The report that is due, made and told unless it was. Raises NotTold."""

    async def to_slack(self, report: HealthReport, url: str | None) -> None:
        """To the webhook of the settings, when none is given. Raises NotDelivered, Refused."""

    async def by_mail(self, report: HealthReport, recipients: Sequence[str]) -> None:
        """To those of the settings, when none is given. Raises InvalidInput, NotDelivered, Refused."""

    def lines(self, report: HealthReport) -> Sequence[str]:
        """For a terminal."""

    async def remedy(self, names: Sequence[str], *, applies: bool) -> Sequence[Remedied]:
        """Accept quarantined mail of whitelisted contacts, or say what would be accepted. Raises InvalidInput."""

    def releases(self, team: str | None, limit: int) -> Sequence[Release]:
        """What was accepted so, the newest first."""

    async def undo(self, release_id: str) -> Release:
        """Raises NotFound, InvalidInput."""


class InboundProgram(Program, Protocol):
    """A running server reports by its schedule; commands report now."""

    def health(self) -> HealthDesk:
        """The health report."""

    def inbound(self) -> InboundServices:
        """Addresses, senders, messages, filters."""

    def digests(self, url: str | None) -> Digests:
        """Mails about held messages, with links to this URL; by default, that of the server."""

    async def due_digests(self, workspace: int, url: str | None) -> Sequence[Digest]:
        """Send those of the day that are due, unless they were sent. Raises NotSent."""


class Desk(NamedTuple):
    """What a command works on."""

    place: InboundProgram
    services: InboundServices
    workspace: int
    now: int

    @property
    def entry(self) -> AuditEntry:
        """Who changes something; the action and its subject are to be filled in."""
        return AuditEntry(at=self.now, actor=ACTOR, action="", subject="")


def inbound_program(context: typer.Context) -> InboundProgram:
    found: InboundProgram = program(context)
    return found


def desk(context: typer.Context, workspace: str | None) -> Desk:
    """Of the named workspace, or the only one. Raises InvalidInput, NotFound."""
    place = inbound_program(context)
    return Desk(place, place.inbound(), chosen_workspace(place.tenancy(), workspace).id, place.now())
