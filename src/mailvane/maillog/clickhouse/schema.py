"""Creates the tables of the mail log and keeps the stamp of who wrote it. The tables themselves are in schema.sql.

In a cluster every server holds local tables under the plain names, and `Distributed` tables named `all_…` over them;
a mail lives whole on one server, so what is right on each is right in sum.
"""

from __future__ import annotations

import re
from importlib.resources import files

from mailvane.core.errors import StoreTooNew
from mailvane.maillog.clickhouse.engine import Engine

SCHEMA_VERSION = 6
TABLES = (
    "events",
    "deliveries",
    "reactions",
    "mails",
    "engagement",
    "received",
    "waiting",
    "hourly",
    "queue_ids",
    "message_ids",
    "restored",
)
KEPT = (
    *("events", "deliveries", "reactions", "mails", "engagement", "received", "hourly", "queue_ids", "message_ids"),
)  # have keep_days
# Views that came with a schema: one that was written before lacks their rows.
ADDED = {2: ("engagement", "received"), 3: ("queue_ids",), 4: ("message_ids",)}
CHANGED = {4: ("engagement",)}  # likewise, views that ask the events something else since
# Columns that came with a schema and are made of others: where they are not stored, each question makes them.
DERIVED = {5: ("deliveries", ("why", "took"))}
# Columns whose codec came with a schema. What is stored stays as it is packed, until its part is merged.
PACKED = {6: ("events", "raw String CODEC(ZSTD(1))")}

# 2000 to 2099: what claims to be older or younger shares the first or last partition and never expires too early.
_DATE = "toDateTime(greatest({floor}, least(4102444799, intDiv({0}, 1000))), 'UTC')"
_TIMES = {
    "month": f"toYYYYMM({_DATE.replace('{floor}', '946684800')})",
    "week": f"toMonday({_DATE.replace('{floor}', '946684800')})",
    "expiry": _DATE.replace("{floor}", "0"),
}
# Of an outcome, behind its prefix.
_FAMILY = "substringIndex(substring(outcome, 17), '\\x1f', 1)"
_DELAY = "toUInt64OrZero(substringIndex(substringIndex(outcome, '\\x1f', 7), '\\x1f', -1))"
# The engine would leave large merges and mutations undone when few of its threads are free; ours are few to begin with.
_WORDS = {
    "{durable}": "non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,"
    " number_of_free_entries_in_pool_to_lower_max_size_of_merge = 1,"
    " number_of_free_entries_in_pool_to_execute_mutation = 1,"
    " number_of_free_entries_in_pool_to_execute_optimize_entire_partition = 1",
    "{why}": f"why SimpleAggregateFunction(max, String) DEFAULT if({_FAMILY} = '', '',"
    f" concat(substring(outcome, 1, 16), {_FAMILY}))",
    "{took}": "took SimpleAggregateFunction(max, UInt128)"
    f" DEFAULT bitOr(bitShiftLeft(toUInt128(state), 64), toUInt128({_DELAY}))",
    "{settled}": "min_age_to_force_merge_seconds = 300, min_age_to_force_merge_on_partition_only = 1",
}
_LATER = " SETTINGS mutations_sync = 0, alter_sync = 0"
_ALONE = "concurrent_part_removal_threshold = 1000000"  # any number
_MADE = re.compile(r"CREATE (?:TABLE|MATERIALIZED VIEW) IF NOT EXISTS (\w+)")
_EXTENDED = re.compile(r"ALTER TABLE (\w+)\n")
_COLUMN = re.compile(r"ADD COLUMN IF NOT EXISTS (\w+)")
_FEED = re.compile(r"CREATE MATERIALIZED VIEW IF NOT EXISTS \w+ TO (\w+) AS\n(.*)", re.DOTALL)
_PLACE = re.compile(r"\{(month|week|expiry):(\w+)\}")


def statements(*, alone: bool = False) -> list[str]:
    """Every statement of schema.sql, its placeholders filled in; with what `_remove_parts_alone` sets, if it is so."""
    text = files(__package__ or "").joinpath("schema.sql").read_text("utf-8")
    text = _PLACE.sub(lambda found: _TIMES[found[1]].format(found[2]), re.sub(r"^--.*\n", "", text, flags=re.MULTILINE))
    for word, meaning in _WORDS.items():
        text = text.replace(word, f"{meaning}, {_ALONE}" if alone and word == "{durable}" else meaning)
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def feeds() -> dict[str, str]:
    """What each view's table is filled with: its name, and the question to the events."""
    return {found[1]: found[2] for statement in statements() if (found := _FEED.match(statement))}


def filled(view: str, table: str) -> str:
    """A table that is like this view's, with the columns that `feeds` gives: what is derived of them is left out."""
    left_out = [name for derived, columns in DERIVED.values() for name in columns if derived == view]
    return f"{table} (* EXCEPT ({', '.join(left_out)}))" if left_out else table


def month_of(column: str) -> str:
    """The number of the month, such as 202609, of a time in a column."""
    return _TIMES["month"].format(column)


def is_current(engine: Engine) -> bool:
    """Whether everything is there, as this schema has it, and this engine wrote here before: there is nothing to do."""
    alone = "position(engine_full, 'concurrent_part_removal_threshold') > 0 OR NOT endsWith(engine, 'MergeTree')"
    rows = engine.rows(f"SELECT name, {alone} FROM system.tables WHERE database = currentDatabase()")
    tables = {str(name): bool(is_set) for name, is_set in rows}
    expected = {"written_by", *(found[1] for text in statements() if (found := _MADE.match(text)))}
    if engine.address.cluster is not None:
        expected.update(f"all_{table}" for table in TABLES)
    if not expected <= tables.keys() or (engine.embedded and not all(tables.values())):
        return False
    columns = set(engine.rows("SELECT table, name FROM system.columns WHERE database = currentDatabase()"))
    if not _added_columns() <= columns:
        return False
    here, written = _version(engine)[:2], [(*map(int, map(str, each[:3])),) for each in _written_by(engine)]
    newest = max((each[1:] for each in written), default=())
    return max(written, default=())[:1] == (SCHEMA_VERSION,) and (SCHEMA_VERSION, *here) in written and newest <= here


def _added_columns() -> set[tuple[object, ...]]:
    """The columns that tables of former schemas are given: their table, and their name."""
    tables = [(found[1], text) for text in statements() if (found := _EXTENDED.match(text))]
    return {(table, name) for table, text in tables for name in _COLUMN.findall(text)}


def create(engine: Engine) -> tuple[str, ...]:
    """Create what is missing; the views that have to be filled from the events, as a former schema lacked them.

    Raises StoreTooNew when a newer Mailvane or engine wrote here.
    """
    engine.command(
        "CREATE TABLE IF NOT EXISTS written_by (schema UInt32, engine String, major UInt32, minor UInt32)"
        " ENGINE = MergeTree ORDER BY (schema, major, minor)"
    )
    written = _written_by(engine)
    here = _version(engine)
    for each in written:
        _refuse_newer(each, here)
    schema = max((int(str(each[0])) for each in written), default=SCHEMA_VERSION)
    for statement in statements(alone=engine.embedded):
        engine.command(statement)
    changed = [view for since, views in CHANGED.items() if schema < since for view in views]
    for view in changed:
        engine.command(f"ALTER TABLE {view}_feed MODIFY QUERY {feeds()[view]}")
    for since, (table, columns) in DERIVED.items():
        if schema < since:  # in the background: meanwhile questions take longer
            engine.command(f"ALTER TABLE {table} {', '.join(f'MATERIALIZE COLUMN {name}' for name in columns)}{_LATER}")
    for since, (table, column) in PACKED.items():
        if schema < since:
            engine.command(f"ALTER TABLE {table} MODIFY COLUMN {column}")
    if engine.address.cluster is not None:
        _spread(engine, engine.address.cluster, anew=schema < SCHEMA_VERSION)
    if engine.embedded:
        _remove_parts_alone(engine)
    added = [view for since, views in ADDED.items() if schema < since for view in views]
    return tuple(dict.fromkeys([*added, *changed]))


def stamp(engine: Engine) -> None:
    """Note who wrote here: this schema, and this engine."""
    written, here = _written_by(engine), _version(engine)
    if (SCHEMA_VERSION, *here[:2]) not in [each[:3] for each in written]:
        engine.command(
            "INSERT INTO written_by SELECT {schema:UInt32}, {engine:String}, {major:UInt32}, {minor:UInt32}",
            {"schema": SCHEMA_VERSION, "engine": here[2], "major": here[0], "minor": here[1]},
        )


def _written_by(engine: Engine) -> list[tuple[object, ...]]:
    return engine.rows("SELECT schema, major, minor, engine FROM written_by")


def _remove_parts_alone(engine: Engine) -> None:
    """Let one thread remove the parts that were merged into others.

    For more than a hundred of them at once, the engine would start 128 threads, which never end: 40 to 70 MiB.
    """
    tables = engine.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')"
        " AND position(engine_full, 'concurrent_part_removal_threshold') = 0"
    )
    for (table,) in tables:
        engine.command(f"ALTER TABLE `{table}` MODIFY SETTING {_ALONE}")


def _version(engine: Engine) -> tuple[int, int, str]:
    text = str(engine.rows("SELECT version()")[0][0])
    major, minor, *_ = text.split(".")
    return int(major), int(minor), text


def _refuse_newer(stamp: tuple[object, ...], here: tuple[int, int, str]) -> None:
    schema, major, minor, text = stamp
    if int(str(schema)) > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the mail log has schema {schema}, this Mailvane knows {SCHEMA_VERSION}: use a newer Mailvane"
        )
    if (int(str(major)), int(str(minor))) > here[:2]:
        raise StoreTooNew(f"the mail log was written by ClickHouse {text}, this is {here[2]}: use a newer engine")


def _spread(engine: Engine, cluster: str, anew: bool) -> None:
    """Anew: tables that were made of a former schema lack its newer columns."""
    make = "CREATE OR REPLACE TABLE" if anew else "CREATE TABLE IF NOT EXISTS"
    for table in TABLES:
        key = ", cityHash64(workspace, relay, accepted_at, number)" if table == "events" else ""
        engine.command(
            f"{make} all_{table} AS {table}"
            f" ENGINE = Distributed(`{cluster}`, `{engine.address.database}`, {table}{key})"
        )
