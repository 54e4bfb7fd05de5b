"""What keeps a mail log in order over the years: retention, rebuilding the views, backup. Each server does its own."""

from __future__ import annotations

from pathlib import Path

from mailvane.errors import InvalidInput
from mailvane.storage.maillog.engine import Engine
from mailvane.storage.maillog.schema import TABLES


def retain(engine: Engine, workspace: int, days: int) -> None:
    """Rewrite how long the stored rows of a workspace are kept."""
    for table in TABLES:
        if table != "waiting":
            engine.command(
                f"ALTER TABLE {table} UPDATE keep_days = {{days:UInt16}} WHERE workspace = {{workspace:UInt32}}"
                " AND keep_days != {days:UInt16} SETTINGS mutations_sync = 2",
                {"days": days, "workspace": workspace},
            )


def perform(_engine: Engine, task: str, _target: Path | None) -> None:
    """Raises InvalidInput when there is no such task."""
    raise InvalidInput(f"no such upkeep: {task}")
