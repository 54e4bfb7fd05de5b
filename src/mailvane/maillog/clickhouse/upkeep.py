"""What keeps a mail log in order over the years: retention, rebuilding the views, backup. Each server does its own.

Whoever calls these holds appends off meanwhile; questions are answered all the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from mailvane.core.errors import AlreadyExists, MailvaneError, NotFound
from mailvane.maillog.clickhouse.engagement_days import forget
from mailvane.maillog.clickhouse.engine import DATABASE, Engine
from mailvane.maillog.clickhouse.schema import KEPT, create, feeds, filled, is_current, stamp

# Told which views are about to be filled anew.
Filling = Callable[[Collection[str]], None]


def unannounced(_views: Collection[str]) -> None:
    pass


def prepare(engine: Engine, filling: Filling = unannounced) -> None:
    """Create what is missing, and fill the views that a former schema did not have, or had otherwise.

    Raises StoreTooNew when a newer Mailvane or engine wrote here.
    """
    if is_current(engine):  # two dozen statements take as long as the rest of opening it
        return
    lacking = create(engine)
    if lacking:
        filling(lacking)
        _fill(engine, lacking)
    stamp(engine)  # last: what was cut short is done again


log = logging.getLogger(__name__)

REMOVING_EVERY = 100  # batches
_NO_PARTITION = "19700102"  # neither a month, nor a Monday
_LARGE_MERGE = 4 * 1024 * 1024  # bytes


def retain(engine: Engine, workspace: int, days: int) -> None:
    """Rewrite how long the stored rows of a workspace are kept."""
    for table in KEPT:
        engine.command(
            f"ALTER TABLE {table} UPDATE keep_days = {{days:UInt16}} WHERE workspace = {{workspace:UInt32}}"
            " AND keep_days != {days:UInt16} SETTINGS mutations_sync = 2",
            {"days": days, "workspace": workspace},
        )


class MergedParts:
    """Removes parts that were merged into others, each time that so many batches were inserted. Of one thread.

    On a thread of its own: the engine ends merges first, which takes long where processors are busy, and nothing that
    is written or asked has to wait for it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.batches = 0  # until now
        self._removing: Thread | None = None

    def inserted(self) -> None:
        """One more batch was. A server removes them itself."""
        self.batches += 1
        if not self._engine.embedded or self.batches % REMOVING_EVERY:
            return
        if self._removing is None or not self._removing.is_alive():
            self._removing = Thread(target=remove_merged, args=(self._engine,), name="merged parts")
            self._removing.start()

    def close(self) -> None:
        """Wait for what is being removed."""
        if self._removing is not None:
            self._removing.join()


@contextmanager
def merging_later(engines: Iterable[Engine]) -> Generator[None]:
    """Merge no parts for the length of a block, in which much is written and little asked. A server merges as it likes.

    Each part that is written at such a time would be read, sorted and compressed once more while the next one is.
    """
    embedded = [engine for engine in engines if engine.embedded]
    for engine in embedded:
        engine.command("SYSTEM STOP MERGES")
    try:
        yield
    finally:
        for engine in embedded:
            engine.command("SYSTEM START MERGES")


def remove_merged(engine: Engine) -> None:
    """Remove parts that were merged into others.

    The engine does so itself only when it looks for a merge and finds none: under steady traffic never, and each costs
    files and some 30 KB of memory. It also does so after a partition was dropped, which is asked for here by a name
    that none has. That may end a merge, so tables with one of any size are left alone. Raises nothing of the engine's.
    """
    try:
        _drop_nothing(engine)
    except MailvaneError as error:  # whatever it is, it is tried again later
        log.warning("merged parts of the mail log were not removed: %s", error)


def _drop_nothing(engine: Engine) -> None:
    tables = engine.rows(
        "SELECT table FROM system.parts WHERE NOT active AND database = currentDatabase() AND table NOT IN"
        f" (SELECT table FROM system.merges WHERE total_size_bytes_compressed > {_LARGE_MERGE})"
        " GROUP BY table ORDER BY table"
    )
    for (table,) in tables:
        engine.command(f"ALTER TABLE `{table}` DROP PARTITION ID '{_NO_PARTITION}'")


def rebuild(engine: Engine) -> None:
    """Fill every view anew from the events.

    The new rows are gathered in a table of their own and take the place of the old ones partition by partition, so
    a rebuild that is cut short leaves each of them whole, old or new. The old table itself stays: it knows which
    batches it has seen.
    """
    _fill(engine, feeds())
    forget(engine)


def _fill(engine: Engine, views: Iterable[str]) -> None:
    for table in views:
        select = feeds()[table]
        with fresh_table(engine, table) as fresh:
            engine.command(f"INSERT INTO {filled(table, fresh)} {select} SETTINGS max_partitions_per_insert_block = 0")
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
