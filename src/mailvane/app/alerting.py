"""Alerting as the settings say; apart from what serves it, so that a command need not load a server's libraries."""

from __future__ import annotations

from mailvane.collectors.dnsbl.zones import dictionary
from mailvane.reputation_config import ReputationSettings
from mailvane.services.alerting import Alerting
from mailvane.storage.ledger import SqlLedger

_HOUR_MS = 3_600_000


def alerting_of(settings: ReputationSettings, ledger: SqlLedger) -> Alerting:
    def high_reputation() -> frozenset[str]:
        return frozenset(zone.host for zone in dictionary(ledger.zones()) if zone.high_reputation)

    return Alerting(ledger, high_reputation, int(settings.stale_hours * _HOUR_MS))
