"""The health report, put together from the settings and the stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from mailvane.core.errors import InvalidInput
from mailvane.inbound.health.local import OwnServer
from mailvane.inbound.health.reporting import AskedTeam, remote_team
from mailvane.inbound.health.settings import HealthSettings, Team
from mailvane.inbound.health.upstream import Unanswered, Upstream
from mailvane.server.ledger import Ledger


def teams_of(
    settings: HealthSettings, names: Sequence[str], ledger: Ledger, clock: Callable[[], int]
) -> Sequence[AskedTeam]:
    """Those of the settings, every workspace where there are none; only the named ones. Raises InvalidInput."""
    teams = settings.teams or tuple(Team(name=one.name, workspace=one.name) for one in ledger.tenants.workspaces())
    known = {team.name: team for team in teams}
    for name in names:
        if name not in known:
            raise InvalidInput(f"there is no team {name}")
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    if not chosen:
        raise InvalidInput("nobody to report on: make a workspace, set [[health.teams]], or say --url")
    return [_asked(team, settings, ledger, clock) for team in chosen]


def _asked(team: Team, settings: HealthSettings, ledger: Ledger, clock: Callable[[], int]) -> AskedTeam:
    return remote_team(team, settings.timeout_seconds) if team.url else _own_team(team, ledger, clock)


def _own_team(team: Team, ledger: Ledger, clock: Callable[[], int]) -> AskedTeam:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Upstream]:
        found = ledger.tenants.workspace_named(team.workspace)
        if found is None:
            raise Unanswered(f"there is no workspace {team.workspace}")
        yield OwnServer(ledger.inbound, found.id, clock)

    return AskedTeam(team.name, opened)
