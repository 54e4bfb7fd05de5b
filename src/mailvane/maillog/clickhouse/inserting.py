"""Batches into a table of events, whichever form they have."""

from __future__ import annotations

from collections.abc import Mapping

from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.rows import BATCH_COLUMNS, COLUMNS, EVENT_TYPES, batch_mark, encode_batch, kept_days
from mailvane.maillog.model import ColumnBatch, EventBatch, HeldBatch


def insert_batch(engine: Engine, table: str, batch: EventBatch, settings: Mapping[str, str]) -> None:
    """Store it as one block. Raises StoreUnavailable."""
    if not isinstance(batch, ColumnBatch):
        engine.insert(table, COLUMNS, encode_batch(batch), settings)
        return
    constants = dict(
        zip(BATCH_COLUMNS, (batch.workspace, kept_days(batch.retention_days), batch_mark(batch)), strict=True)
    )
    if isinstance(batch, HeldBatch):
        batch.held.insert(table, constants, settings)
        return
    engine.insert_columns(table, constants, EVENT_TYPES, batch.columns, settings)


def acceptances(batch: EventBatch) -> tuple[int, int]:
    """The first and the last time of acceptance in a batch that has events."""
    if isinstance(batch, ColumnBatch):
        return batch.first, batch.last
    moments = [event.accepted_at for event in batch.events]
    return min(moments), max(moments)
