"""Who tells people, as the settings say: webhooks, mail, Slack, Apprise, and the report of each day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry

from mailvane.core.daily import Daily, Day
from mailvane.core.egress import EgressGuard
from mailvane.core.moments import HOUR_MS
from mailvane.core.periodic import Background
from mailvane.notify.apprise_channel import AppriseNotifier
from mailvane.notify.channels import Terms
from mailvane.notify.email import Email
from mailvane.notify.metrics import NotificationMetrics
from mailvane.notify.model import Channel
from mailvane.notify.notifier import Notifier
from mailvane.notify.signing import Signing
from mailvane.notify.slack import Slack
from mailvane.notify.webhook import Webhook
from mailvane.notify.worker import Worker
from mailvane.reputation.alerts.daily_report import DailyReports
from mailvane.reputation.alerts.telling import HeldNotices
from mailvane.reputation.emailconsul.shape import webhook_body
from mailvane.reputation.texts.email_templates import render_email
from mailvane.reputation.texts.plain_message import plain_message
from mailvane.reputation.texts.slack_message import slack_body
from mailvane.server.alerting import MonitoringSettings, alerting_of, report_recipients
from mailvane.server.ledger import Ledger


class Notifying:
    """Made once; what it runs belongs to the event loop that `background` is called in."""

    def __init__(
        self,
        settings: MonitoringSettings,
        ledger: Ledger,
        clock: Callable[[], int],
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._signing = Signing(ledger.channels)
        self._metrics = NotificationMetrics(registry or CollectorRegistry())

    def background(self) -> Sequence[Background]:
        """What runs for as long as the server does."""
        alerting = alerting_of(self._settings, self._ledger)
        worker = Worker(
            self._ledger.outbox,
            [self._metrics.measured(each) for each in self._notifiers()],
            self._clock,
            Terms(self._ledger.channels, self._settings.zone).quiet_until,
            HeldNotices(alerting.entry, alerting.still_holds).released,
        )
        following = partial(self._metrics.follow, self._ledger.outbox.notifications_waiting)
        report = self._settings.reputation.daily_report
        if not (report.to or any(report.workspaces.values())):
            return [worker.run, following]
        recipients = report_recipients(report)
        stale_ms = int(self._settings.reputation.stale_hours * HOUR_MS)
        reports = DailyReports(self._ledger.alerting, self._ledger.tenants, recipients, stale_ms)

        async def post(day: Day, now: int) -> None:
            await asyncio.to_thread(reports.post, day, now)

        return [
            worker.run,
            following,
            Daily(report.hour, report.timezone, post, self._clock).run,
        ]

    def _notifiers(self) -> Sequence[Notifier]:
        mail, guard = self._settings.notify.mail, EgressGuard(self._settings.notify.allowed_targets)
        notifiers: list[Notifier] = [
            Webhook(guard, self._secrets, webhook_body, partial(self._url, Channel.WEBHOOK)),
            Slack(guard, partial(self._url, Channel.SLACK), slack_body),
            AppriseNotifier(guard, partial(self._url, Channel.APPRISE), plain_message),
        ]
        return [*notifiers, Email(mail, render_email)] if mail.host else notifiers

    def _secrets(self, workspace: int, now: int) -> Sequence[str]:
        return [each.secret for each in self._signing.living(workspace, now)]

    def _url(self, kind: Channel, workspace: int, channel_id: str) -> str | None:
        known = self._ledger.channels.channel(workspace, channel_id)
        return known.target if known is not None and known.kind is kind else None
