"""Puts tracking links together from the settings and the ledger. What makes mail events of them is `settling`."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.tracking.clients import Proxies, Rates
from mailvane.mailboxes.tracking.endpoint import TrackingApp
from mailvane.mailboxes.tracking.machines import load_machines
from mailvane.mailboxes.tracking.model import Reaction
from mailvane.mailboxes.tracking.secrets import Secrets
from mailvane.mailboxes.tracking.services import TrackingServices
from mailvane.mailboxes.tracking.settling import Record, due_times
from mailvane.mailboxes.tracking.tagging import Tagging
from mailvane.server.ledger import Ledger


def tracking_services(
    settings: MailboxSettings, here: str, ledger: Ledger, tenancy: Tenancy, record: Record
) -> TrackingServices:
    """`here`: where this machine reaches the server. Raises InvalidSetting."""
    secrets = Secrets(ledger.tracking)

    def keep(reactions: Sequence[Reaction]) -> None:
        ledger.tracking.add(due_times(reactions, settings.click_wait_seconds * 1000))

    app = TrackingApp(
        secrets,
        keep,
        load_machines(settings.not_machines),
        Rates(settings.tracking_per_second),
        Proxies(settings.trusted_proxies),
    )
    return TrackingServices(
        tenancy, secrets, app, Tagging(tenancy, record), (settings.tracking_url or here).rstrip("/")
    )
