"""Puts tracking links together from the settings and the stores, and what makes mail events of them."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.core.tenants.service import Tenancy
from mailvane.dmarc.joining import Joining
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.tracking.clients import Proxies, Rates
from mailvane.mailboxes.tracking.endpoint import TrackingApp
from mailvane.mailboxes.tracking.machines import load_machines
from mailvane.mailboxes.tracking.model import Reaction
from mailvane.mailboxes.tracking.secrets import Secrets
from mailvane.mailboxes.tracking.services import TrackingServices
from mailvane.mailboxes.tracking.settling import Record, Settling, due_times
from mailvane.mailboxes.tracking.tagging import Tagging
from mailvane.server.governance import complaints_of
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings
from mailvane.server.stores import Stores


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


def settle(settings: Settings, stores: Stores, now: int) -> None:
    """What a server does all the time, once: find the mails of replies, opens, clicks and reports that wait for them.

    Raises InvalidSetting, StoreUnavailable.
    """
    stores.recorder.drain()
    settling_of(settings.mailboxes, stores, Tenancy(stores.ledger.tenants, "")).finish(now)
    complaints = complaints_of(settings.outbound, stores.ledger, lambda: stores.maillog, stores.recorder.record)
    Joining(complaints, stores.ledger.unjoined).finish(now)
    stores.recorder.drain()


def settling_of(settings: MailboxSettings, stores: Stores, tenancy: Tenancy) -> Settling:
    """Raises InvalidSetting."""
    machines = load_machines(settings.not_machines)
    return Settling(stores.ledger.tracking, lambda: stores.maillog, tenancy, stores.recorder.record, machines)
