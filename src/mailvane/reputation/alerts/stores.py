"""The stores that alerts are evaluated with and reported from."""

from __future__ import annotations

import msgspec

from mailvane.notify.store.channels import ChannelStore
from mailvane.notify.store.outbox import OutboxStore
from mailvane.reputation.mail_answers import MailAnswers
from mailvane.reputation.store.alert_log import AlertLogStore
from mailvane.reputation.store.alerts import AlertStore
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.observations import ObservationStore
from mailvane.reputation.store.profiles import ProfileStore


class AlertingStores(msgspec.Struct, frozen=True, kw_only=True):
    alerts: AlertStore
    alert_log: AlertLogStore
    observations: ObservationStore
    assets: AssetStore
    profiles: ProfileStore
    channels: ChannelStore
    outbox: OutboxStore
    mail: MailAnswers | None = None  # who asks the mail log; None: nobody
