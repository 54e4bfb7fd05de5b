"""The report of each day: made when its hour has come, told to every channel once; what failed is told later.

A run that was missed, because nothing ran at the hour, is made up as soon as something does. What is asked is how
things are then, so of several missed days the newest is made. Any number of processes may run one, and commands
beside them: the ledger knows what was made and who was told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.daily import Day, last_due
from mailvane.core.errors import MailvaneError, Transient
from mailvane.core.leasing import Leasing
from mailvane.core.moments import HOUR_MS
from mailvane.inbound.health.exporting import push_to_influx
from mailvane.inbound.health.model import HealthReport, ReleaseState, Remedied
from mailvane.inbound.health.remediation import Remediator
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting
from mailvane.inbound.health.settings import HealthSettings
from mailvane.inbound.health.store.readings import HealthReportStore
from mailvane.inbound.health.telling import post_to_slack, send_by_mail, slack_url
from mailvane.inbound.health.texts.slack import messages_of
from mailvane.notify.settings import OutgoingMail

log = logging.getLogger(__name__)

LEASE = "health report"
TRYING_MS = 20 * HOUR_MS  # then the next day's report is near
_PAUSES = (60.0, 300.0, 900.0, 3600.0)  # seconds between tries to tell it

Tell = Callable[[HealthReport], Awaitable[None]]


class NotTold(Transient):
    """The report has not reached everybody yet."""


class ScheduleParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule stands on."""

    settings: HealthSettings
    mail: OutgoingMail
    reporting: HealthReporting
    reports: HealthReportStore
    remediator: Remediator
    leasing: Leasing
    teams: Callable[[], Sequence[AskedTeam]]
    clock: Callable[[], int]
    show: Callable[[HealthReport], None] = lambda _report: None


class HealthSchedule:
    """Belongs to one event loop."""

    def __init__(self, parts: ScheduleParts, pauses: Sequence[float] = _PAUSES) -> None:
        self._parts = parts
        self._pauses = pauses

    async def post(self, day: Day, now: int) -> None:
        """Until the day's report has reached everybody, or it is too late for it."""
        tries = 0
        while True:
            try:
                await self.round(day)
            except NotTold as error:
                log.warning("%s", error)
                if self._parts.clock() - now >= TRYING_MS:
                    log.warning("the health report of %s is given up", due_on(day))
                    return
            else:
                return
            await asyncio.sleep(self._pauses[min(tries, len(self._pauses) - 1)])
            tries += 1

    async def due(self, now: int) -> HealthReport:
        """The report that is due now, made and told if it was not yet. Raises NotTold."""
        settings = self._parts.settings
        return await self.round(last_due(now, settings.hour, ZoneInfo(settings.timezone)))

    async def round(self, day: Day) -> HealthReport:
        """Make the report unless it is made, and tell those who do not have it. Raises NotTold."""
        async with self._parts.leasing.held(LEASE) as held:
            if held is None:
                raise NotTold("another process is at the health report")
            name = due_on(day)
            report, told = await self._made(name)
            failed = await self._tell(name, report, told)
        if failed:
            raise NotTold(f"the health report has not reached everybody: {'; '.join(failed)}")
        return report

    async def _tell(self, name: str, report: HealthReport, told: Sequence[str]) -> Sequence[str]:
        """Whom it did not reach, and why: of each way the first failure, as the others fail alike."""
        failed: dict[str, str] = {}
        for channel, tell in channels_of(self._parts.settings, self._parts.mail, report).items():
            way = channel.partition(" ")[0]
            if channel in told or (way == "slack" and way in failed):
                continue
            try:
                await tell(report)
            except MailvaneError as error:
                failed.setdefault(way, error.message)
            else:
                await asyncio.to_thread(self._parts.reports.told, name, channel)
        return [f"{way}: {reason}" for way, reason in failed.items()]

    async def _made(self, name: str) -> tuple[HealthReport, Sequence[str]]:
        known = await asyncio.to_thread(self._parts.reports.made, name)
        if known is not None:
            return known.report, known.told
        teams = await asyncio.to_thread(self._parts.teams)
        report = await self._parts.reporting.report(teams)
        self._parts.show(report)
        report = await self._remedied(report, teams)
        await asyncio.to_thread(self._parts.reports.keep_report, name, report)
        return report, ()

    async def _remedied(self, report: HealthReport, teams: Sequence[AskedTeam]) -> HealthReport:
        """After the figures were collected, so that the report tells what people would have found."""
        mode = self._parts.settings.remediation.mode
        if mode == "off":
            return report
        found = await asyncio.gather(*(self._parts.remediator.remedy(team, applies=mode == "apply") for team in teams))
        told = {one.team: summary(one, applies=mode == "apply") for one in found}
        for team, words in told.items():
            log.info("remediation (%s) of %s: %s", mode, team, words)
        return msgspec.structs.replace(
            report,
            teams=tuple(msgspec.structs.replace(one, remedied=told.get(one.reading.team, "")) for one in report.teams),
        )


def summary(remedied: Remedied, *, applies: bool) -> str:
    """In a line."""
    if remedied.held is None:
        return f"nothing released: {remedied.told}"
    accepted = sum(one.state is ReleaseState.ACCEPTED for one in remedied.releases)
    done = f"{accepted} released" if applies else f"would release {len(remedied.wanted)}, within the budget"
    told = f"; {remedied.told}" if remedied.told else ""
    return f"{remedied.held} held, {len(remedied.wanted)} of whitelisted contacts, {done}{told}"


def due_on(day: Day) -> str:
    """The day on which the report of `last_due` is due: that behind the one that it tells of."""
    return (date.fromisoformat(day.name) + timedelta(days=1)).isoformat()


def channels_of(settings: HealthSettings, mail: OutgoingMail, report: HealthReport) -> Mapping[str, Tell]:
    """Whom the settings name, each by a name that is no secret. Each message to Slack counts for itself."""
    channels: dict[str, Tell] = {}
    if settings.slack_url_file is not None:
        for number, message in enumerate(messages_of(report), 1):
            channels[f"slack {number}"] = partial(_to_slack, settings.slack_url_file, message)
    for mailbox in settings.mail_to:
        who = sha256(mailbox.encode()).hexdigest()[:16]
        channels[f"mail {who}"] = partial(_by_mail, mail, mailbox)
    if settings.influx_url:
        channels["influx"] = partial(_to_influx, settings)
    return channels


async def _to_slack(file: str, message: Mapping[str, Any], _report: HealthReport) -> None:
    await post_to_slack(await asyncio.to_thread(slack_url, file), [message])


async def _by_mail(mail: OutgoingMail, mailbox: str, report: HealthReport) -> None:
    await send_by_mail(report, mail, [mailbox])


async def _to_influx(settings: HealthSettings, report: HealthReport) -> None:
    await push_to_influx(report, settings.influx_url, settings.influx_token_file)
