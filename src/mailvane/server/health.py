"""The health report, put together from the settings and the stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailvane.core.errors import InvalidInput
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting, remote_team
from mailvane.inbound.health.settings import HealthSettings


def reporting_of(settings: HealthSettings, clock: Callable[[], int]) -> HealthReporting:
    return HealthReporting(settings, clock)


def teams_of(settings: HealthSettings, names: Sequence[str]) -> Sequence[AskedTeam]:
    """Those of the settings, all when none is named. Raises InvalidInput."""
    known = {team.name: team for team in settings.teams}
    for name in names:
        if name not in known:
            raise InvalidInput(f"there is no team {name} in the settings")
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    if not chosen:
        raise InvalidInput("nobody to report on: say --url, or set [[health.teams]]")
    return [remote_team(team, settings.timeout_seconds) for team in chosen]
