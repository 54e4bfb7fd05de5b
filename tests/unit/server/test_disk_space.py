"""Whether there is room is asked where the stores lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailvane.core.errors import StoreFull
from mailvane.server import disk_space
from mailvane.server.settings import load


def test_there_is_room_until_there_is_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = disk_space.room_finder(load({"data": str(tmp_path)}, {}))
    find()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(disk_space, "_LEAST_FREE", 1 << 60)
    with pytest.raises(StoreFull, match=r"nearly full: \d+ MiB are left"):
        find()


def test_the_place_of_the_ledger_counts_too(tmp_path: Path) -> None:
    find = disk_space.room_finder(
        load({"data": str(tmp_path), "ledger": f"sqlite:///{tmp_path}/gone/ledger.sqlite"}, {})
    )
    with pytest.raises(StoreFull, match="nothing can be written where the stores are: No such file or directory"):
        find()


def test_a_ledger_on_another_machine_is_its_own_affair(tmp_path: Path) -> None:
    disk_space.room_finder(
        load({"data": str(tmp_path), "ledger": "postgresql://someone@ledger.example/mailvane"}, {})
    )()
