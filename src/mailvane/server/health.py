"""The health report, put together from the settings and the stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property

import msgspec
from prometheus_client import CollectorRegistry

from mailvane.core.daily import Daily
from mailvane.core.errors import InvalidInput
from mailvane.core.leasing import Leasing
from mailvane.core.periodic import Background, every
from mailvane.core.tenants.model import Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.health.exporting import HealthMetrics
from mailvane.inbound.health.local import OwnServer
from mailvane.inbound.health.model import HealthReport, Release, Remedied, TeamReport
from mailvane.inbound.health.remediation import Remediator
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting, remote_team
from mailvane.inbound.health.schedule import HealthSchedule, ScheduleParts
from mailvane.inbound.health.settings import Team
from mailvane.inbound.health.telling import post_to_slack, send_by_mail, slack_url
from mailvane.inbound.health.texts.slack import messages_of
from mailvane.inbound.health.texts.terminal import lines_of
from mailvane.inbound.health.trends import DAYS, changes
from mailvane.inbound.health.upstream import Unanswered, Upstream
from mailvane.inbound.services import InboundServices
from mailvane.server.inbound import OpenMailLog, inbound_services
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings


class Health:
    """Implements what commands ask (`HealthDesk`), and runs in a server. The ledger is opened when it is needed."""

    def __init__(
        self,
        settings: Settings,
        open_ledger: Callable[[], Ledger],
        clock: Callable[[], int],
        services_of: Callable[[Ledger], InboundServices],
    ) -> None:
        self._settings = settings.health
        self._mail = settings.notify.mail
        self._open_ledger = open_ledger
        self._clock = clock
        self._services_of = services_of

    async def report(self, names: Sequence[str]) -> HealthReport:
        return await self._reporting.report(self.teams(names))

    async def report_of(self, team: Team) -> HealthReport:
        return await HealthReporting(self._settings, self._clock).report([self._asked(team)])

    async def scheduled(self) -> HealthReport:
        return await self.schedule().due(self._clock())

    async def to_slack(self, report: HealthReport, url: str | None) -> None:
        await post_to_slack(url or slack_url(self._settings.slack_url_file), messages_of(report))

    async def by_mail(self, report: HealthReport, recipients: Sequence[str]) -> None:
        chosen = recipients or self._settings.mail_to
        if not chosen:
            raise InvalidInput("nobody to mail to: set mail_to of [health], or say --mail-to")
        await send_by_mail(report, self._mail, chosen)

    def of_workspace(self, workspace: Workspace) -> TeamReport:
        """How it stands now, with the days that the schedule kept of it. Blocking; keeps nothing itself."""
        named = next((team for team in self._settings.teams if team.workspace == workspace.name), None)
        team = named or Team(name=workspace.name, workspace=workspace.name)
        (found,) = asyncio.run(self.report_of(team)).teams
        if named is None and self._settings.teams:
            return found  # a team of this name is somebody else's
        today = datetime.fromtimestamp(found.reading.at / 1000, UTC).date()
        days = self._ledger.health.readings.days(team.name, (today - timedelta(days=DAYS)).isoformat())
        return msgspec.structs.replace(found, days=days, trends=changes(days))

    def lines(self, report: HealthReport) -> Sequence[str]:
        return lines_of(report)

    async def remedy(self, names: Sequence[str], *, applies: bool) -> Sequence[Remedied]:
        teams = self.teams(names, once=True)
        return await asyncio.gather(*(self._remediator.remedy(team, applies=applies) for team in teams))

    def releases(self, team: str | None, limit: int) -> Sequence[Release]:
        return self._ledger.health.releases.releases(team, limit)

    async def undo(self, release_id: str) -> Release:
        release = self._ledger.health.releases.release(release_id)
        (team,) = self.teams([release.team], once=True)
        return await self._remediator.undo(team, release)

    def teams(self, names: Sequence[str] = (), *, once: bool = False) -> Sequence[AskedTeam]:
        """Those of the settings, every workspace where there are none; only the named ones.

        `once`: no question is repeated, because some may change something. Raises InvalidInput.
        """
        own = self._settings.teams or tuple(
            Team(name=one.name, workspace=one.name) for one in self._ledger.tenants.workspaces()
        )
        known = {team.name: team for team in own}
        for name in names:
            if name not in known:
                raise InvalidInput(f"there is no team {name}")
        chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
        if not chosen:
            raise InvalidInput("nobody to report on: make a workspace, set [[health.teams]], or say --url")
        return [self._asked(team, once=once) for team in chosen]

    def schedule(self, show: Callable[[HealthReport], None] = lambda _report: None) -> HealthSchedule:
        """Belongs to the event loop that it is first used in."""
        parts = ScheduleParts(
            settings=self._settings,
            mail=self._mail,
            reporting=self._reporting,
            reports=self._ledger.health.reports,
            remediator=self._remediator,
            leasing=Leasing(self._ledger.leases, self._clock),
            teams=lambda: self.teams(once=self._settings.remediation.mode == "apply"),
            clock=self._clock,
            show=show,
        )
        return HealthSchedule(parts)

    def background(self, registry: CollectorRegistry) -> Sequence[Background]:
        """What a server does while it runs."""
        settings, running = self._settings, list[Background]()
        if not settings.prometheus_minutes and not settings.schedule:
            return running
        metrics = HealthMetrics(registry)

        async def look() -> None:
            metrics.show(await self._reporting.report(await asyncio.to_thread(self.teams)))

        async def collect() -> None:
            await every(60.0 * settings.prometheus_minutes, "collecting the figures of the health report", look)

        if settings.prometheus_minutes:
            running.append(collect)
        if settings.schedule:
            schedule = self.schedule(metrics.show) if settings.prometheus_minutes else self.schedule()
            running.append(Daily(settings.hour, settings.timezone, schedule.post, self._clock).run)
        return running

    @cached_property
    def _ledger(self) -> Ledger:
        return self._open_ledger()

    @cached_property
    def _reporting(self) -> HealthReporting:
        return HealthReporting(self._settings, self._clock, self._ledger.health.readings)

    @cached_property
    def _remediator(self) -> Remediator:
        return Remediator(self._settings.remediation, self._ledger.health.releases, self._clock)

    def _asked(self, team: Team, *, once: bool = False) -> AskedTeam:
        if not team.url:
            return AskedTeam(team.name, lambda: self._own(team))
        timeout = self._settings.timeout_seconds
        return remote_team(team, timeout, pauses=()) if once else remote_team(team, timeout)

    @asynccontextmanager
    async def _own(self, team: Team) -> AsyncIterator[Upstream]:
        found = await asyncio.to_thread(self._ledger.tenants.workspace_named, team.workspace)
        if found is None:
            raise Unanswered(f"there is no workspace {team.workspace}")
        yield OwnServer(self._services_of(self._ledger), found.id, self._clock)


def health_of(
    settings: Settings, open_ledger: Callable[[], Ledger], clock: Callable[[], int], maillog: OpenMailLog
) -> Health:
    """For a command."""
    return Health(
        settings,
        open_ledger,
        clock,
        lambda ledger: inbound_services(ledger, Tenancy(ledger.tenants, ""), settings.inbound, settings.data, maillog),
    )
