"""Which pending batches are carried together, and under which token. Pure; reads and writes nothing.

The mail log takes many events at once far faster than one by one: of bundles as large as these it stores about
200,000 events a second, of single events about ninety.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from mailvane.maillog.model import EventBatch

SMALL_EVENTS = 1_000
BUNDLE_EVENTS = 20_000


class Waiting(msgspec.Struct, frozen=True):
    """A pending batch as far as bundling cares."""

    sequence: int
    committed_at: int
    workspace: int
    retention_days: int
    events: int
    claimed: bool


def within(batches: Iterable[Waiting], limit: int) -> list[Waiting]:
    """The first of them, up to so many events; one at least, however large it is."""
    chosen: list[Waiting] = []
    for batch in batches:
        limit -= batch.events
        if chosen and limit < 0:
            break
        chosen.append(batch)
    return chosen


def bundles(batches: Iterable[Waiting]) -> list[list[Waiting]]:
    """What is carried together. Whatever was claimed before, or is large enough, stays alone."""
    groups: list[list[Waiting]] = []
    filling: dict[tuple[int, int], tuple[list[Waiting], int]] = {}
    for batch in batches:
        if batch.claimed or batch.events > SMALL_EVENTS:
            groups.append([batch])
            continue
        kind = (batch.workspace, batch.retention_days)
        group, events = filling.get(kind, ([], BUNDLE_EVENTS))
        if events + batch.events > BUNDLE_EVENTS:
            group, events = [], 0
            groups.append(group)
        group.append(batch)
        filling[kind] = (group, events + batch.events)
    return groups


def joined(batches: Sequence[EventBatch]) -> EventBatch:
    """One batch of them all. Its token follows from theirs."""
    tokens = "\x00".join(batch.token for batch in batches)
    digest = blake2b(tokens.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    events = [event for batch in batches for event in batch.events]
    return EventBatch(f"bundle:{digest}", batches[0].workspace, batches[0].retention_days, events)
