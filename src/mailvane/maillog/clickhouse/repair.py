"""Completes a batch whose insert was interrupted. For the embedded engine, where a restart shows that.

The engine writes the mark by which it recognises a batch just before it gives a part its name. Killed in between, a
table says "I have that" of rows that it has not; after a power cut it may be the other way round. So a batch that may
have been tried before is not inserted under its token: what is there is counted, and what is missing is added.
Doing this again changes nothing, wherever it stops.
"""

from __future__ import annotations

from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.inserting import acceptances, insert_batch
from mailvane.maillog.clickhouse.rows import batch_mark
from mailvane.maillog.clickhouse.schema import feeds, filled
from mailvane.maillog.clickhouse.upkeep import fresh_table, partitions
from mailvane.maillog.model import EventBatch

# Columns that add up; all others are maxima, which a row that comes twice does not change.
SUMS = {
    "deliveries": ("attempts",),
    "received": ("received",),
    "waiting": ("waiting",),
    "hourly": ("delivered", "deferred", "bounced", "rejected"),
}
_KEYS = {
    "hourly": ("relay, hour", "relay, at - positiveModulo(at, 3600000)"),
    "received": ("address, relay, day", "lower(recipient), relay, accepted_at - positiveModulo(accepted_at, 86400000)"),
}
_MAIL = ("relay, accepted_at, number", "relay, accepted_at, number")
_OF_BATCH = (
    "workspace = {workspace:UInt32} AND accepted_at BETWEEN {first:Int64} AND {last:Int64} AND batch = {batch:UInt64}"
)


def settle(engine: Engine, batch: EventBatch, settings: dict[str, str]) -> None:
    """Store what is missing of a batch, in the events and in every table kept from them. Raises StoreUnavailable."""
    first, last = acceptances(batch)
    values: dict[str, object] = {
        "workspace": batch.workspace,
        "first": first,
        "last": last,
        "batch": batch_mark(batch),
    }
    # A partition has all rows of a batch or none. Attaching them does not wake the views.
    with fresh_table(engine, "events") as fresh:
        insert_batch(engine, fresh, batch, settings)
        present = engine.rows(f"SELECT DISTINCT _partition_id FROM events WHERE {_OF_BATCH}", values)
        for part in partitions(engine, fresh):
            if (part,) not in present:
                engine.command(f"ALTER TABLE events ATTACH PARTITION ID '{part}' FROM {fresh}")
    for table, feed in feeds().items():
        _complete(engine, table, feed, values)


def _complete(engine: Engine, table: str, feed: str, values: dict[str, object]) -> None:
    """Add what the events say of the mails, or hours, of a batch, less what the table says."""
    key, of_event = _KEYS.get(table, _MAIL)
    touched = (
        f"workspace = {{workspace:UInt32}} AND ({key}) IN (SELECT DISTINCT {of_event} FROM events WHERE {_OF_BATCH})"
    )
    # Unsigned columns wrap, and so does their sum: what is added in the end is the difference.
    kind = "Int64" if table == "waiting" else "UInt64"
    less = ", ".join(f"CAST(0 - {column}, '{kind}') AS {column}" for column in SUMS.get(table, ()))
    once = " SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0"
    with fresh_table(engine, table) as fresh:
        engine.command(f"INSERT INTO {filled(table, fresh)} {feed} AND {touched}{once}", values)
        if less:
            engine.command(f"INSERT INTO {fresh} SELECT * REPLACE ({less}) FROM {table} WHERE {touched}{once}", values)
        engine.command(f"INSERT INTO {table} SELECT * FROM {fresh} FINAL{once}")
