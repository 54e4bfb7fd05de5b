"""Whose mail this is: the table `workspaces`, whole on every server, and what the events themselves say."""

from __future__ import annotations

from collections.abc import Iterable

from mailvane.maillog.clickhouse.engagement_days import forget
from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.rows import FOR_EVER
from mailvane.maillog.clickhouse.schema import KEPT
from mailvane.maillog.model import Holding, Owner

_OWNED = "owner"
_FORMER = "former"
_DROPPED = "dropped"


def owners(engines: Iterable[Engine]) -> list[Owner]:
    """By id; those that any of the servers has."""
    question = f"SELECT workspace, created_at, name FROM workspaces FINAL WHERE state = '{_OWNED}'"
    found = {
        (int(str(workspace)), int(str(created_at))): str(name)
        for engine in engines
        for workspace, created_at, name in engine.rows(question)
    }
    return [Owner(*key, name) for key, name in sorted(found.items())]


def begun_anew(engines: Iterable[Engine]) -> dict[int, int]:
    """When those workspaces were made whose id had another owner, whose mail was dropped."""
    question = (
        f"SELECT workspace, max(created_at) FROM workspaces FINAL WHERE state = '{_OWNED}' AND workspace IN"
        f" (SELECT workspace FROM workspaces FINAL WHERE state = '{_DROPPED}') GROUP BY workspace"
    )
    return {
        int(str(workspace)): int(str(created_at))
        for engine in engines
        for workspace, created_at in engine.rows(question)
    }


def note(engine: Engine, owner: Owner) -> None:
    """Twice is once."""
    _write(engine, owner, _OWNED)


def adopt(engine: Engine, owner: Owner) -> None:
    for former in owners([engine]):
        if former.workspace == owner.workspace and former.created_at != owner.created_at:
            _write(engine, former, _FORMER)
    _write(engine, owner, _OWNED)


def drop(engine: Engine, workspace: int) -> None:
    """The owner goes last: if this is cut short, it can be done again."""
    for table in (*KEPT, "waiting"):
        engine.command(
            f"ALTER TABLE {table} DELETE WHERE workspace = {{workspace:UInt32}} SETTINGS mutations_sync = 2",
            {"workspace": workspace},
        )
    forget(engine)
    known = [owner for owner in owners([engine]) if owner.workspace == workspace]
    for owner in known or [Owner(workspace, 0)]:
        _write(engine, owner, _DROPPED)


def _write(engine: Engine, owner: Owner, state: str) -> None:
    engine.command(
        "INSERT INTO workspaces SELECT {workspace:UInt32}, {created_at:Int64}, {name:String}, {state:String},"
        " (SELECT max(version) + 1 FROM workspaces)",
        {"workspace": owner.workspace, "created_at": owner.created_at, "name": owner.name, "state": state},
    )


def holders(engine: Engine, events: str) -> list[int]:
    """Every workspace that an event names. This reads a column of all events, of which very little is on the disk."""
    return [int(str(workspace)) for (workspace,) in engine.rows(f"SELECT DISTINCT workspace FROM {events} ORDER BY 1")]


def holding(engine: Engine, events: str, workspace: int) -> Holding:
    question = (
        f"SELECT count(), arraySort(groupUniqArray(relay)), max(keep_days) FROM {events}"
        " WHERE workspace = {workspace:UInt32}"
    )
    ((count, relays, days),) = engine.rows(question, {"workspace": workspace})
    kept = int(str(days))
    ids = tuple(relays) if isinstance(relays, list | tuple) else ()
    return Holding(int(str(count)), ids, 0 if kept == FOR_EVER else kept)


def greatest_ids(engine: Engine, events: str) -> tuple[int, int]:
    ((workspace, relay),) = engine.rows(f"SELECT max(workspace), max(relay) FROM {events}")
    return int(str(workspace)), int(str(relay))
