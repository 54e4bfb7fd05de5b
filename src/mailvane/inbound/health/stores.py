"""The stores of the health report, for a service that needs them together. `server.ledger` makes them."""

from __future__ import annotations

import msgspec

from mailvane.inbound.health.store.readings import HealthReportStore, ReadingStore
from mailvane.inbound.health.store.releases import ReleaseStore


class HealthStores(msgspec.Struct, frozen=True, kw_only=True):
    """On one ledger."""

    readings: ReadingStore
    reports: HealthReportStore
    releases: ReleaseStore
