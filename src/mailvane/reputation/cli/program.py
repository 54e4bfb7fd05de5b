"""What the commands of reputation ask of the program around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.notify.channels import Channels
    from mailvane.reputation.alerts.service import Alerting
    from mailvane.reputation.alerts.warnings import AlertWarnings
    from mailvane.reputation.assets import WatchedAssets
    from mailvane.reputation.blocklists import ListingCheck
    from mailvane.reputation.heartbeats import Heartbeats
    from mailvane.reputation.model import AssetKind


class ReputationProgram(Program, Protocol):
    """A running server asks sources and tells people; commands look."""

    def alerting(self) -> Alerting:
        """Alerts, and what they would say."""

    def watched_assets(self) -> WatchedAssets:
        """What outside sources are asked about."""

    def alert_warnings(self) -> AlertWarnings:
        """What keeps alerts silent."""

    def channels(self) -> Channels:
        """Channels that have names."""

    def heartbeats(self) -> Heartbeats:
        """What jobs are expected to call."""

    def address(self) -> str:
        """Where this machine reaches the server, as an URL without a slash at its end."""

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        """Ask blocklists about addresses or domains."""


def reputation_program(context: typer.Context) -> ReputationProgram:
    found: ReputationProgram = program(context)
    return found
