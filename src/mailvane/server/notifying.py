"""Who tells people, as the settings say: webhooks, mail, Slack, and the report of each day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry

from mailvane.core.daily import Daily, Day
from mailvane.core.egress import EgressGuard
from mailvane.core.mailbox import read_mailbox
from mailvane.core.moments import HOUR_MS
from mailvane.core.periodic import Background
from mailvane.notify.email import Email
from mailvane.notify.metrics import NotificationMetrics
from mailvane.notify.notifier import Notifier
from mailvane.notify.signing import Signing
from mailvane.notify.slack import Slack
from mailvane.notify.webhook import Webhook
from mailvane.notify.worker import Worker
from mailvane.reputation.alerts.daily_report import DailyReports
from mailvane.reputation.emailconsul.shape import webhook_body
from mailvane.reputation.texts.email_templates import render_email
from mailvane.reputation.texts.slack_message import slack_body
from mailvane.server.alerting import MonitoringSettings
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
        worker = Worker(self._ledger.outbox, [self._metrics.measured(each) for each in self._notifiers()], self._clock)
        following = partial(self._metrics.follow, self._ledger.outbox.notifications_waiting)
        report = self._settings.reputation.daily_report
        if not report.to:
            return [worker.run, following]
        addresses = [read_mailbox(each).address for each in report.to]
        reports = DailyReports(
            self._ledger.alerting, self._ledger.tenants, addresses, int(self._settings.reputation.stale_hours * HOUR_MS)
        )

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
            Webhook(guard, self._secrets, webhook_body),
            Slack(guard, self._slack_url, slack_body),
        ]
        return [*notifiers, Email(mail, render_email)] if mail.host else notifiers

    def _secrets(self, workspace: int, now: int) -> Sequence[str]:
        return [each.secret for each in self._signing.living(workspace, now)]

    def _slack_url(self, workspace: int, integration_id: str) -> str | None:
        known = {each.id: each.url for each in self._ledger.channels.slack_integrations(workspace)}
        return known.get(integration_id)
