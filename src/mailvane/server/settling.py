"""Finds the mails of replies, opens, clicks and reports that wait for them. It serves nobody, and loads no server."""

from __future__ import annotations

from mailvane.core.tenants.service import Tenancy
from mailvane.dmarc.joining import Joining
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.tracking.machines import load_machines
from mailvane.mailboxes.tracking.settling import Settling
from mailvane.server.governance import complaints_of
from mailvane.server.settings import Settings
from mailvane.server.stores import Stores


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
