"""Reputation put together: what a process that was killed has left undone is done by the next."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailvane.core.periodic import in_background
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.model import AssetKind, Observation, ObservationKind
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.alerting import MonitoringSettings
from mailvane.server.ledger import Ledger
from mailvane.server.reputation import reputation_of
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
LISTED = {"type": "DOMAIN_IN_RBL", "domains": ["shop.example"], "rbls": ["bl.example"]}


def fired(ledger: Ledger, workspace: int) -> int:
    return ledger.alert_log.entries(EntryQuestion(workspace=workspace)).total


def run_until_something_fired(ledger: Ledger, workspace: int) -> None:
    async def run() -> None:
        reputation = reputation_of(MonitoringSettings(), ledger, lambda: NOW)
        async with in_background(reputation.background()), asyncio.timeout(120):
            while not await asyncio.to_thread(fired, ledger, workspace):
                await asyncio.sleep(0.01)

    asyncio.run(run())


def test_what_was_kept_before_alerts_heard_of_it_is_told_after_a_restart(tmp_path: Path) -> None:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    workspace = ledger.tenants.add_workspace("one", NOW).id
    ledger.alerts.add_alert(
        Alert(id="a" * 24, workspace=workspace, name="x", created_at=NOW, updated_at=NOW, rules=(LISTED,))
    )
    kept = Observation(
        kind=ObservationKind.DOMAIN_LISTING, asset="shop.example", key="bl.example", at=NOW, seen_at=NOW,
        data={"listed": True},
    )  # fmt: skip
    ledger.observations.observe(workspace, [kept])
    assert ledger.assets.assets(workspace, {AssetKind.DOMAIN}) == []
    run_until_something_fired(ledger, workspace)
    run_until_something_fired(ledger, workspace)
    assert fired(ledger, workspace) == 1
    ledger.close()
