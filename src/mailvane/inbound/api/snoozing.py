"""Held mail that is to be delivered at a time to come, over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

_MOST = 100


class Snooze(msgspec.Struct, frozen=True, kw_only=True):
    """Which held messages, and when they are to be delivered: milliseconds since the epoch, UTC."""

    uuids: Sequence[str]
    until: int


class Snoozed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one; `problem` is empty where it was snoozed, or a filter denied it."""

    uuid: str
    status: str | None
    problem: str


def snooze(services: InboundServices, asked: Asked) -> Sequence[Snoozed]:
    """In the order of the ids, each once. Raises InvalidInput."""
    given = read_json(Snooze, asked.body)
    ids = list(dict.fromkeys(given.uuids))
    if not 1 <= len(ids) <= _MOST:
        raise InvalidInput(f"`uuids` are 1 to {_MOST}")
    decided = services.quarantine.snooze(asked.workspace, ids, given.until, asked.by, asked.now)
    return [
        Snoozed(uuid=one.id, status=one.status.value if one.status else None, problem=one.reason) for one in decided
    ]
