"""Alerting and watching as the settings say; apart from what serves them, as a command needs none of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.egress import EgressGuard
from mailvane.core.mailbox import read_mailbox
from mailvane.core.moments import HOUR_MS
from mailvane.dmarc.settings import DmarcSettings
from mailvane.maillog.interface import MailLog
from mailvane.maillog.settings import PostfixLog
from mailvane.notify.channels import Channels
from mailvane.notify.settings import NotifySettings
from mailvane.reputation.alerts.daily_report import Recipients
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.alerts.warnings import AlertWarnings
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.mail_answers import MailAnswers
from mailvane.reputation.model import Source
from mailvane.reputation.settings import DailyReport, ReputationSettings
from mailvane.reputation.source_schedule import Schedule
from mailvane.reputation.sources.dnsbl.zones import dictionary
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings


class MonitoringSettings(NamedTuple):
    """The table `[reputation]` of the settings file, part by part."""

    reputation: ReputationSettings = ReputationSettings()
    dmarc: DmarcSettings = DmarcSettings()
    notify: NotifySettings = NotifySettings()
    zone: ZoneInfo = ZoneInfo("UTC")  # of quiet hours that state none
    logs: Sequence[PostfixLog] = ()  # that are followed


def monitoring_settings(settings: Settings) -> MonitoringSettings:
    """What watching asks of all settings."""
    return MonitoringSettings(settings.reputation, settings.dmarc, settings.notify, settings.timezone, settings.postfix)


def alerting_of(
    settings: MonitoringSettings,
    ledger: Ledger,
    on_failing: Callable[[int], None] = lambda _alerts: None,
    maillog: Callable[[], AbstractContextManager[MailLog]] | None = None,
) -> Alerting:
    """Without a mail log, rules that ask it are shown as failing."""

    def relays(workspace: int) -> list[int]:
        return [relay.id for relay in ledger.tenants.relays(workspace)]

    def high_reputation() -> frozenset[str]:
        return frozenset(zone.host for zone in dictionary(ledger.zones.zones()) if zone.high_reputation)

    mail = None if maillog is None else MailAnswers(maillog, relays)
    stores = msgspec.structs.replace(ledger.alerting, mail=mail)
    check_host = EgressGuard(settings.notify.allowed_targets).check_written
    return Alerting(stores, high_reputation, int(settings.reputation.stale_hours * HOUR_MS), check_host, on_failing)


def channels_of(settings: MonitoringSettings, ledger: Ledger) -> Channels:
    """Those that have names."""
    return Channels(ledger.channels, EgressGuard(settings.notify.allowed_targets).check_written)


def warnings_about(settings: MonitoringSettings, ledger: Ledger) -> AlertWarnings:
    """What keeps alerts silent that are kept."""
    recipients = report_recipients(settings.reputation.daily_report)

    def sends_reports(workspace: int) -> bool:
        found = ledger.tenants.workspace(workspace)
        return found is not None and bool(recipients.of(found))

    return AlertWarnings(
        ledger.alerting,
        lambda: dictionary(ledger.zones.zones()),
        sends_mail=bool(settings.notify.mail.host),
        sends_reports=sends_reports,
    )


def watched_assets_of(ledger: Ledger, evaluate: Callable[[int, Collection[Source], int], object]) -> WatchedAssets:
    """Whatever is learned lets alerts be evaluated."""

    def evaluated(workspace: int, sources: Collection[Source], now: int) -> None:
        evaluate(workspace, sources, now)

    return WatchedAssets(ledger.assets, ledger.observations, evaluated)


def schedule_of(settings: ReputationSettings) -> Schedule:
    return Schedule(int(settings.refresh_hours * HOUR_MS))


def report_recipients(report: DailyReport) -> Recipients:
    """Who gets the daily reports, by their addresses."""
    named = {name: _addresses(mailboxes) for name, mailboxes in report.workspaces.items()}
    return Recipients(all=_addresses(report.to), of_workspace=named)


def _addresses(mailboxes: Sequence[str]) -> tuple[str, ...]:
    return tuple(read_mailbox(each).address for each in mailboxes)
