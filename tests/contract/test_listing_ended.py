"""The end of a listing is told once, with its length, and a backtest tells it at the same moment; on both ledgers."""

from __future__ import annotations

from mailvane.core.moments import HOUR_MS
from mailvane.core.tenants.service import Tenancy
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.alerting import MonitoringSettings, alerting_of, watched_assets_of
from mailvane.server.ledger import Ledger

NOW = 1_760_000_000_000
ADDRESS, ZONE = "192.0.2.1", "bl.example"
RULE = {"type": "MV_IP_LISTING_ENDED", "ips": ["ALL_IPS"], "rbls": [ZONE]}


def test_the_end_is_told_once_with_the_length(ledger: Ledger) -> None:
    workspace = Tenancy(ledger.tenants, "").create_workspace("ours", NOW).id
    alerting = alerting_of(MonitoringSettings(), ledger)
    watched = watched_assets_of(ledger, alerting.evaluate)
    watched.add(workspace, AssetKind.IP, [ADDRESS], NOW)
    draft = AlertDraft(name="ended", rules=[RULE])
    alerting.create(workspace, draft, NOW)
    # Listed for 30 hours, then not; and once more for two, which is another end.
    for hour, listed in ((0, True), (29, True), (30, False), (31, False), (33, True), (35, False)):
        at = NOW + hour * HOUR_MS
        said = Observation(
            kind=ObservationKind.IP_LISTING, asset=ADDRESS, key=ZONE, at=at, seen_at=at, data={"listed": listed}
        )
        refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=ADDRESS, at=at, observations=(said,))
        watched.record(workspace, [refresh], at)
    entries = alerting.entries(EntryQuestion(workspace=workspace, newest_first=False)).entries
    told = [(entry.at - NOW, dict(entry.rules[0].matchings["items"][0])) for entry in entries]
    assert told == [
        (30 * HOUR_MS, {"ip": ADDRESS, "rbl": ZONE, "value": 30.0}),
        (35 * HOUR_MS, {"ip": ADDRESS, "rbl": ZONE, "value": 2.0}),
    ]
    found = alerting.backtest(workspace, draft, NOW - HOUR_MS, NOW + 40 * HOUR_MS)
    assert [firing.at for firing in found.firings] == [entry.at for entry in entries]
