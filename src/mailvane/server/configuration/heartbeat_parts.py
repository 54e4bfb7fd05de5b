"""The part of the file that says which heartbeats are expected, compared with the ledger. Blocking.

The address of a new one is told when the file is applied, and never again; with the hash of an exported one it is the
address that jobs call already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.reputation.heartbeats import Heartbeats, checked_terms
from mailvane.server.configuration.changes import Action, Change, Step, differing
from mailvane.server.configuration.document import HeartbeatPart

_WHAT = "heartbeat"
_SECRET = "(secret)"  # noqa: S105 - what is shown in its place


def heartbeats_of(heartbeats: Heartbeats, workspace: int, secrets: bool) -> dict[str, HeartbeatPart]:
    hashes = heartbeats.secret_hashes(workspace) if secrets else {}
    return {
        each.name: HeartbeatPart(period=each.period, grace=each.grace, secret_hash=hashes.get(each.id))
        for each in heartbeats.all(workspace)
    }


def heartbeat_steps(
    heartbeats: Heartbeats, workspace: int, part: Mapping[str, HeartbeatPart], now: int
) -> Iterator[Step]:
    """Raises InvalidInput."""
    known = {each.name: each for each in heartbeats.all(workspace)}
    hashes = heartbeats.secret_hashes(workspace)
    wanted: set[str] = set()
    for written, one in part.items():
        name = _checked(written, one)
        if name in wanted:
            raise InvalidInput(f"heartbeats: {name} stands there twice")
        wanted.add(name)
        old = known.get(name)
        if old is None:
            fields = differing({}, {"period": one.period, "grace": one.grace})
            change = Change(action=Action.ADD, what=_WHAT, name=name, fields=fields)
            yield Step(change, partial(_add, heartbeats, workspace, (name, one), now))
            continue
        fields = differing({"period": old.period, "grace": old.grace}, {"period": one.period, "grace": one.grace})
        if one.secret_hash not in {None, hashes.get(old.id)}:
            fields["secret_hash"] = (_SECRET, _SECRET)
        if fields:
            change = Change(action=Action.CHANGE, what=_WHAT, name=name, fields=fields)
            yield Step(change, partial(heartbeats.change, old, one.period, one.grace, one.secret_hash))
    for name, old in known.items():
        if name not in wanted:
            change = Change(action=Action.REMOVE, what=_WHAT, name=name)
            yield Step(change, partial(heartbeats.remove, workspace, old.id))


def _checked(name: str, one: HeartbeatPart) -> str:
    try:
        return checked_terms(name, one.period, one.grace)
    except InvalidFields as error:
        raise InvalidInput(f"heartbeats.{name}: {error.message}") from None


def _add(heartbeats: Heartbeats, workspace: int, named: tuple[str, HeartbeatPart], now: int) -> object:
    name, one = named
    if one.secret_hash is None:
        return heartbeats.create(workspace, name, one.period, one.grace, now)
    return heartbeats.adopt(workspace, (name, one.period, one.grace), one.secret_hash, now)
