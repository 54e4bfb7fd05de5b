"""What this server knows of itself, handed from room to room: limits and stopped domains by `outbound`, followed logs
by `maillog`, sources and blocklists by `reputation`. Alerts are evaluated over it once in a while.

What a process alone knows (its logs, whether it gets at the reports) it tells itself; what stands in the ledger is told
by the one that holds the lease, and that one evaluates.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from mailvane.core.errors import InvalidInput, MailvaneError
from mailvane.core.leasing import Leasing
from mailvane.core.moments import HOUR_MS, MINUTE_MS
from mailvane.core.periodic import every
from mailvane.maillog.postfix.journald import newest_entry
from mailvane.maillog.settings import PostfixLog
from mailvane.outbound.model import DEFAULT_WORKSPACE, LimitKind, LimitMark, LimitWindow
from mailvane.outbound.store.marks import step_of
from mailvane.outbound.store.present_limits import LimitName
from mailvane.reputation.alerts.mail_questions import LATE_MS, STEP_MS
from mailvane.reputation.heartbeats import Heartbeat
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Source
from mailvane.reputation.sources.dnsbl.zones import dictionary
from mailvane.reputation.spells import Holding, Spells
from mailvane.server.ledger import Ledger

log = logging.getLogger(__name__)

REPORTS = "report mailbox"  # the place where reports arrive, among the names of sources
LEAST_SILENCE_MS = 5 * MINUTE_MS
_LEASE = "own facts"
_AGAIN_SECONDS = 15.0
_SHARED = (ObservationKind.STOPPED, ObservationKind.SOURCE_STATE, ObservationKind.HEARTBEAT)
_LOCAL = (ObservationKind.LOG_SILENCE,)
_ToldLimit = tuple[int, str, str]  # workspace, whose, and which
Evaluate = Callable[[int, Collection[Source], int], object]


class LocalFacts:
    """What only this process knows. Not for several threads."""

    def __init__(self, ledger: Ledger, logs: Sequence[PostfixLog]) -> None:
        self._tenants = ledger.tenants
        self._logs = logs
        self._heard = dict.fromkeys((each.name for each in logs), 0)
        self._spells = Spells(ledger.observations, self._is_ours)

    def look(self, now: int) -> None:
        """Raises StoreUnavailable."""
        ids = {each.name: each.id for each in self._tenants.workspaces()}
        self._spells.recall(ids.values(), _LOCAL)
        self._spells.settle(self._silent(ids, now), now)

    def _is_ours(self, kind: ObservationKind, asset: str) -> bool:
        return kind is ObservationKind.LOG_SILENCE and asset in self._heard

    def _silent(self, ids: dict[str, int], now: int) -> Iterator[Holding]:
        for each in self._logs:
            name, workspace = each.name, ids.get(each.workspace)
            if workspace is None:
                continue
            written = written_at(each)
            known = self._spells.since(workspace, ObservationKind.LOG_SILENCE, name)
            # A log that is gone is silent from when it was last seen.
            self._heard[name] = written if written is not None else self._heard[name] or known or now
            if now - self._heard[name] >= LEAST_SILENCE_MS:
                why = "nothing is written to it" if written is not None else "there is no such file"
                yield Holding(
                    workspace=workspace, kind=ObservationKind.LOG_SILENCE, asset=name, since=self._heard[name], why=why
                )


def written_at(log: PostfixLog) -> int | None:
    """When something was written to a log last; None: there is none."""
    with suppress(OSError, InvalidInput):
        if log.path is None:
            return newest_entry(log.journal or "", log.journal_directory)
        return log.path.stat().st_mtime_ns // 1_000_000
    return None


class SharedFacts:
    """What stands in the ledger. Not for several threads; of one process at a time."""

    def __init__(self, ledger: Ledger, evaluate: Evaluate) -> None:
        self._ledger = ledger
        self._evaluate = evaluate
        self._marked_until = self._step = 0
        self._limits: dict[_ToldLimit, Observation] = {}  # what was told of those whose window is not over
        self._recalled: set[int] = set()  # workspaces whose are known
        self._spells = Spells(ledger.observations, lambda kind, _: kind in _SHARED)

    def look(self, now: int) -> None:
        """Tell what is new, and evaluate. Raises StoreUnavailable."""
        ids = {each.id: each.name for each in self._ledger.tenants.workspaces()}
        self._tell_limits(ids, now)
        self._spells.recall(ids, _SHARED)
        expected = self._ledger.heartbeats.all()
        held = [*self._stopped(now), *self._failing(ids, now), *self._unusable(ids, now), *_missed(expected, now)]
        self._spells.settle(held, now, partial(_returned, {(one.workspace, one.name): one for one in expected}))
        # What asks the mail log is evaluated as often as its answers change.
        step = (now - LATE_MS) // STEP_MS
        asks, self._step = step > self._step, step
        sources = (Source.SERVER, Source.MAIL_LOG) if asks else (Source.SERVER,)
        for workspace in self._ledger.alerts.workspaces_with("MV_"):
            try:
                self._evaluate(workspace, sources, now)
            except MailvaneError as error:
                log.warning("alerts of workspace %d could not be evaluated: %s", workspace, error)

    def _tell_limits(self, ids: dict[int, str], now: int) -> None:
        """The newest step of each limit that was passed since the last look, and each that is of another number now."""
        self._recall_limits(ids)
        told: dict[_ToldLimit, Observation] = {}
        nobody = _nobody(ids)
        for mark in self._ledger.limit_marks.since(self._marked_until or now - HOUR_MS, now):
            workspace = mark.workspace if mark.workspace in ids else nobody
            if workspace is not None:
                one = _told(mark, now)
                told[workspace, one.asset, one.key] = one
        known = self._limits | told
        self._limits = {key: one for key, one in known.items() if one.data["until"] > now and one.data["percent"]}
        present = self._ledger.present_limits.of({_limit_of(one) for one in self._limits.values()}, now)
        for key, one in self._limits.items():
            if one.data["most"] not in (numbers := present[_limit_of(one)]):
                told[key] = _told_anew(one, max(numbers, default=None), now)
        found: dict[int, list[Observation]] = {}
        for (workspace, _, _), one in told.items():
            found.setdefault(workspace, []).append(one)
        for workspace, observations in found.items():
            self._ledger.observations.observe(workspace, observations)
        self._limits |= told
        self._marked_until = now

    def _recall_limits(self, workspaces: Collection[int]) -> None:
        """What was told before this process did."""
        for workspace in set(workspaces) - self._recalled:
            for one in self._ledger.observations.latest(workspace, [ObservationKind.QUOTA]):
                self._limits[workspace, one.asset, one.key] = one
            self._recalled.add(workspace)

    def _stopped(self, now: int) -> Iterator[Holding]:
        for one in self._ledger.limit_marks.stopped():
            since = self._spells.since(one.workspace, ObservationKind.STOPPED, one.domain)
            yield Holding(
                workspace=one.workspace, kind=ObservationKind.STOPPED, asset=one.domain, since=since or now,
                why="the whole domain is suspended" if one.closed else "its sending is suspended",
            )  # fmt: skip

    def _failing(self, ids: dict[int, str], now: int) -> Iterator[Holding]:
        for workspace in ids:
            for health in self._ledger.observations.health(workspace):
                failing = [health.source.value] if health.failures else []
                failing += [REPORTS] if health.is_unfetched else []
                for name in failing:
                    since = self._spells.since(workspace, ObservationKind.SOURCE_STATE, name)
                    yield Holding(
                        workspace=workspace, kind=ObservationKind.SOURCE_STATE, asset=name,
                        since=since or min(health.failed_at, now), why=health.error,
                    )  # fmt: skip

    def _unusable(self, ids: dict[int, str], now: int) -> Iterator[Holding]:
        """Blocklists that are asked and whose answers cannot be trusted, for each workspace that has them asked."""
        asked = {zone.host for zone in dictionary(self._ledger.zones.zones()) if zone.enabled}
        broken = [one for one in self._ledger.zones.zone_health() if not one.usable and one.host in asked]
        if not broken:
            return
        watching = self._ledger.assets.workspaces_watching((AssetKind.IP, AssetKind.DOMAIN))
        for workspace in (each for each in watching if each in ids):
            for one in broken:
                since = self._spells.since(workspace, ObservationKind.SOURCE_STATE, one.host)
                yield Holding(
                    workspace=workspace, kind=ObservationKind.SOURCE_STATE, asset=one.host,
                    since=since or min(one.checked_at or now, now), why=one.reason,
                )  # fmt: skip


def _missed(expected: Sequence[Heartbeat], now: int) -> Iterator[Holding]:
    for one in expected:
        if one.due_at <= now:
            yield Holding(
                workspace=one.workspace, kind=ObservationKind.HEARTBEAT, asset=one.name, since=one.since,
                why=f"expected every {one.period} s, and {one.grace} s later at most"
                + ("" if one.called_at else "; it was never called"),
            )  # fmt: skip


def _returned(expected: Mapping[tuple[int, str], Heartbeat], workspace: int, begun: Observation) -> dict[str, int]:
    """Of a heartbeat that is late no more: its call before, and the one that ended it; of one that is gone nothing."""
    one = expected.get((workspace, begun.asset)) if begun.kind is ObservationKind.HEARTBEAT else None
    if one is None or one.called_at <= begun.data["since"]:
        return {}
    return {"since": begun.data["since"], "called_at": one.called_at}


def _nobody(ids: dict[int, str]) -> int | None:
    """Whose the mail of nobody in particular is: the default workspace's, or that of the only one."""
    default = next((number for number, name in ids.items() if name == DEFAULT_WORKSPACE), None)
    return default if default is not None else next(iter(ids)) if len(ids) == 1 else None


def _limit_of(told: Observation) -> LimitName:
    return LimitName(LimitKind(told.data["kind"]), told.asset, LimitWindow(told.data["window"]))


def _told_anew(told: Observation, most: int | None, now: int) -> Observation:
    """As much was sent, of another limit; None: of none."""
    share = 0 if most is None else step_of(told.data["sent"], most)
    data = {**told.data, "percent": share} | ({} if most is None else {"most": most})
    return msgspec.structs.replace(told, at=now, seen_at=now, data=data)


def _told(mark: LimitMark, now: int) -> Observation:
    data = {
        "kind": mark.kind.value, "window": mark.window.value, "percent": step_of(mark.sent, mark.most),
        "sent": mark.sent, "most": mark.most, "until": mark.until, "passed_at": mark.at,
    }  # fmt: skip
    key = f"{mark.kind}/{mark.window}"
    return Observation(kind=ObservationKind.QUOTA, asset=mark.name, key=key, at=now, seen_at=now, data=data)


class OwnFacts:
    """Looks once in so many seconds, at whole ones of the clock, until it is stopped."""

    def __init__(
        self,
        local: LocalFacts,
        shared: Callable[[], SharedFacts],
        leasing: Leasing,
        clock: Callable[[], int],
        seconds: int,
    ) -> None:
        self._local = local
        self._shared = shared
        self._leasing = leasing
        self._clock = clock
        self._step = seconds * 1000

    async def tell(self) -> None:
        """What this process knows; until cancelled."""
        await every(_AGAIN_SECONDS, "looking at followed logs", partial(self._repeat, self._local.look, 0))

    async def lead(self) -> None:
        """What stands in the ledger, and alerts; until cancelled, on one node at a time."""
        await every(_AGAIN_SECONDS, "looking at limits and sources", self._lead)

    async def _lead(self) -> None:
        async with self._leasing.held(_LEASE) as held:
            if held is not None:
                # What other processes know of this moment is to be there by then.
                await self._repeat(self._shared().look, self._step // 30, lambda: not held.lost)

    async def _repeat(
        self, look: Callable[[int], None], late_ms: int, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        while goes_on():
            now = self._clock() - late_ms
            await asyncio.to_thread(look, now // self._step * self._step)
            now = self._clock() - late_ms
            await asyncio.sleep((self._step - now % self._step) / 1000)
