"""Every source that is asked about something has its cell on the board; on a real ledger."""

from __future__ import annotations

from pathlib import Path

from mailvane.core.moments import HOUR_MS
from mailvane.reputation.board import NOT_SHOWN, BoardService
from mailvane.reputation.cells import CellState
from mailvane.reputation.model import ASKED_ABOUT, OUTSIDE, Asset, AssetKind, Zone
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
ADDRESSES = {AssetKind.IP, AssetKind.SNDS, AssetKind.TRAP}


def test_what_every_source_is_asked_about_has_its_cell(tmp_path: Path) -> None:
    """Nothing was ever answered, so each of them is unknown: none is silently nothing."""
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    try:
        workspace = ledger.tenants.add_workspace("mine", NOW).id
        ledger.assets.add_assets(
            [
                Asset(id=kind, workspace=workspace, kind=kind, name="192.0.2.1" if kind in ADDRESSES else "a.example",
                      created_at=NOW)
                for kind in AssetKind
            ]
        )  # fmt: skip
        zones = [Zone(host="zone.example", lists=("ips", "domains"))]
        service = BoardService(ledger.assets, ledger.observations, ledger.zones, lambda: zones, 48 * HOUR_MS)
        rows = service.board(workspace, NOW).rows
    finally:
        ledger.close()
    shown = {source: {row.sources[source].state for row in rows} for source in rows[0].sources}
    assert list(shown) == [source for source in OUTSIDE if source not in NOT_SHOWN]
    assert all(CellState.UNKNOWN in states for states in shown.values()), shown
    watched = {asset.kind for row in rows for asset in row.assets} | {AssetKind.SNDS}
    assert watched == {kind for source in shown for kind in ASKED_ABOUT[source]}
