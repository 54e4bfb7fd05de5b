"""What keeps a mail log in order over the years: retention, rebuilding the views, backup. Each server does its own.

Whoever calls these holds appends off meanwhile; questions are answered all the time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.maillog.clickhouse.engine import DATABASE, Engine
from mailvane.maillog.clickhouse.schema import KEPT, create, feeds, stamp


def prepare(engine: Engine) -> None:
    """Create what is missing, and fill the views that a former schema did not have.

    Raises StoreTooNew when a newer Mailvane or engine wrote here.
    """
    lacking = create(engine)
    if lacking:
        _fill(engine, lacking)
    stamp(engine)  # last: what was cut short is done again


def retain(engine: Engine, workspace: int, days: int) -> None:
    """Rewrite how long the stored rows of a workspace are kept."""
    for table in KEPT:
        engine.command(
            f"ALTER TABLE {table} UPDATE keep_days = {{days:UInt16}} WHERE workspace = {{workspace:UInt32}}"
            " AND keep_days != {days:UInt16} SETTINGS mutations_sync = 2",
            {"days": days, "workspace": workspace},
        )


def rebuild(engine: Engine) -> None:
    """Fill every view anew from the events.

    The new rows are gathered in a table of their own and take the place of the old ones partition by partition, so
    a rebuild that is cut short leaves each of them whole, old or new. The old table itself stays: it knows which
    batches it has seen.
    """
    _fill(engine, feeds())


def _fill(engine: Engine, views: Iterable[str]) -> None:
    for table in views:
        select = feeds()[table]
        with fresh_table(engine, table) as fresh:
            engine.command(f"INSERT INTO {fresh} {select} SETTINGS max_partitions_per_insert_block = 0")
            for part in sorted({*partitions(engine, table), *partitions(engine, fresh)}):
                engine.command(f"ALTER TABLE {table} REPLACE PARTITION ID '{part}' FROM {fresh}{_emptying(engine)}")


@contextmanager
def fresh_table(engine: Engine, table: str) -> Generator[str]:
    """The name of an empty table like this one, which no view feeds, for the length of a block."""
    fresh = f"{table}_fresh"
    engine.command(f"DROP TABLE IF EXISTS {fresh} SYNC")
    engine.command(f"CREATE TABLE {fresh} AS {table}")
    yield fresh
    engine.command(f"DROP TABLE {fresh} SYNC")


def partitions(engine: Engine, table: str) -> list[str]:
    """The ids of the partitions of a table that hold something."""
    question = (
        "SELECT DISTINCT partition_id FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table = {table:String} ORDER BY partition_id"
    )
    return [str(part) for (part,) in engine.rows(question, {"table": table})]


def _emptying(engine: Engine) -> str:
    """Newer engines need a setting to replace a full partition by an empty one; older ones do not know it."""
    name = "allow_replace_partition_from_empty_source"
    known = engine.rows("SELECT 1 FROM system.settings WHERE name = {name:String}", {"name": name})
    return f" SETTINGS {name} = 1" if known else ""


def backup(engine: Engine, target: Path) -> None:
    """Write everything to a new directory, on the disk of the server. Raises AlreadyExists."""
    if engine.embedded and target.exists() and any(target.iterdir()):
        raise AlreadyExists(f"{target} is not empty")
    engine.command(f"BACKUP DATABASE `{engine.address.database}` AS `{DATABASE}` TO File({_quoted(target)})")


def restore(engine: Engine, target: Path) -> None:
    """Take everything from a backup into an empty mail log. Raises AlreadyExists, NotFound."""
    if engine.rows("SELECT 1 FROM events LIMIT 1"):
        raise AlreadyExists("the mail log holds events already: restore into an empty one")
    if engine.embedded and not (target / ".backup").is_file():
        raise NotFound(f"there is no backup in {target}")
    database = engine.address.database
    engine.command(f"DROP DATABASE `{database}` SYNC")
    engine.command(f"RESTORE DATABASE `{DATABASE}` AS `{database}` FROM File({_quoted(target)})")
    prepare(engine)
    # The marks by which a batch is recognised stay with the tables they were made for.
    engine.command("INSERT INTO restored SELECT DISTINCT batch FROM events")


def _quoted(path: Path) -> str:
    text = str(path.absolute()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
