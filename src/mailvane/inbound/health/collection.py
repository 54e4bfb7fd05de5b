"""A reading: every question of a health report put to one server, each for itself. One that fails spoils no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import MailvaneError
from mailvane.inbound.health.analysis import usage_pct
from mailvane.inbound.health.model import Metrics, Reading
from mailvane.inbound.health.upstream import Upstream

T = TypeVar("T")
USAGE = ("weekly_used", "weekly_limit", "usage_pct", "aliases_used", "aliases_limit", "mailboxes_used")
LONGEST_REASON = 400


async def collect(team: str, upstream: Upstream, top_senders: int, now: int) -> Reading:
    """Raises nothing that a server can cause: what it does not say is unknown."""
    gathered = _Gathered()
    await asyncio.gather(
        _usage(gathered, upstream),
        _count(gathered, "quarantine_pending", upstream.quarantined()),
        _count(gathered, "failed_count", upstream.messages("failed")),
        _count(gathered, "denied_count", upstream.messages("denied")),
        _senders(gathered, upstream, top_senders),
    )
    return Reading(
        team=team,
        at=now,
        metrics=msgspec.convert(gathered.known, prepared(Metrics)),
        estimates=tuple(name for name in Metrics.__struct_fields__ if name in gathered.estimates),
        unknown={name: gathered.unknown[name] for name in Metrics.__struct_fields__ if name in gathered.unknown},
    )


def unreadable(team: str, reason: str, now: int) -> Reading:
    """Of a team that could not be asked at all."""
    return Reading(team=team, at=now, unknown=dict.fromkeys(Metrics.__struct_fields__, reason[:LONGEST_REASON]))


class _Gathered:
    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.unknown: dict[str, str] = {}
        self.estimates: set[str] = set()

    async def answer(self, names: tuple[str, ...], question: Awaitable[T]) -> T | None:
        try:
            return await question
        except MailvaneError as error:
            self.unknown.update(dict.fromkeys(names, error.message[:LONGEST_REASON]))
            return None


async def _usage(gathered: _Gathered, upstream: Upstream) -> None:
    found = await gathered.answer(USAGE, upstream.usage())
    if found is None:
        return
    figures = msgspec.structs.asdict(found)
    if found.weekly_used is not None and found.weekly_limit is not None:
        figures["usage_pct"] = usage_pct(found.weekly_used, found.weekly_limit)
    for name in USAGE:
        if figures.get(name) is None:
            gathered.unknown[name] = "the server did not say"
        else:
            gathered.known[name] = figures[name]


async def _count(gathered: _Gathered, name: str, question: Awaitable[Any]) -> None:
    found = await gathered.answer((name,), question)
    if found is not None:
        gathered.known[name] = found.count
        if found.is_estimate:
            gathered.estimates.add(name)


async def _senders(gathered: _Gathered, upstream: Upstream, limit: int) -> None:
    found = await gathered.answer(("top_senders",), upstream.senders(limit))
    if found is not None:
        gathered.known["top_senders"] = tuple(found)
