"""Types about this server's own things: limits on mail, followed logs, sources. None of them is the vendor's.

What they look at is told by the server (`server.own_facts`), so it needs nobody's watching, and no profile has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import ANY, DomainNames, Names, Rule, stands_for_all
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import Observation, ObservationKind


class LimitOf(StrEnum):
    """Whose limit."""

    DOMAIN = "DOMAIN"
    LOGIN = "LOGIN"
    MAILBOX = "MAILBOX"


class LimitPer(StrEnum):
    """In which stretch of time (UTC) is counted."""

    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


PER = {"hourly": LimitPer.HOUR, "daily": LimitPer.DAY, "monthly": LimitPer.MONTH}
_KINDS = Annotated[tuple[LimitOf, ...], Meta(min_length=1)]
_WINDOWS = Annotated[tuple[LimitPer, ...], Meta(min_length=1)]


def _is_meant(name: str, given: Collection[str]) -> bool:
    return ANY in given or name in given


class Quota(Rule, frozen=True, kw_only=True):
    """So much of a limit is used up, and its window is not over yet."""

    TYPE: ClassVar[str] = "MV_QUOTA"
    READS: ClassVar[ObservationKind] = ObservationKind.QUOTA

    limits_of: _KINDS
    windows: _WINDOWS
    names: Names
    percent: Annotated[int, Meta(ge=50, le=100, multiple_of=5)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        names = {name.lower() for name in self.names if name != ANY} | ({ANY} & set(self.names))
        for one in view.known(self.READS):
            told = one.data
            if told["until"] <= view.now or told["percent"] < self.percent or not _is_meant(one.asset, names):
                continue
            kind, window = LimitOf(str(told["kind"]).upper()), PER[str(told["window"])]
            if kind not in self.limits_of or window not in self.windows:
                continue
            named = {"name": one.asset, "limit_of": kind.value, "window": window.value}
            yield Match(
                item={**named, "value": round(100 * told["sent"] / told["most"], 1)},
                record={**named, "sent": told["sent"], "most": told["most"], "until": told["until"], "at": one.at},
                identity=(kind.value, one.asset, window.value),
                at=one.at,
            )


def holding(view: View, kind: ObservationKind, names: Collection[str], least_ms: int) -> Iterator[Observation]:
    """What began so long ago at least, and is not over."""
    for one in view.known(kind):
        if one.data.get("holds") and one.data["since"] + least_ms <= view.now and _is_meant(one.asset, names):
            yield one


def turns_of(said: Sequence[Observation], least_ms: int) -> Iterator[int]:
    """When that may be so first. This server looks once a minute."""
    for one in said:
        if one.data.get("holds"):
            yield -(-(one.data["since"] + least_ms) // MINUTE_MS) * MINUTE_MS


class SendingStopped(Rule, frozen=True, kw_only=True):
    """A governed domain may not send: the guillotine stopped it, or somebody did."""

    TYPE: ClassVar[str] = "MV_SENDING_STOPPED"
    READS: ClassVar[ObservationKind] = ObservationKind.STOPPED

    domains: DomainNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        names = {ANY} if stands_for_all(self.domains) else self.domains
        for one in holding(view, self.READS, names, 0):
            yield Match(
                item={"domain": one.asset},
                record={"domain": one.asset, "since": one.data["since"], "why": one.data.get("why", "")},
                identity=(one.asset, str(one.at)),
                at=one.at,
            )


class LogSilent(Rule, frozen=True, kw_only=True):
    """Nothing was written to a followed log for so many minutes, or it is gone."""

    TYPE: ClassVar[str] = "MV_LOG_SILENT"
    READS: ClassVar[ObservationKind] = ObservationKind.LOG_SILENCE

    logs: Names
    minutes: Annotated[int, Meta(ge=5, le=14 * 24 * 60)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        for one in holding(view, self.READS, self.logs, self.minutes * MINUTE_MS):
            yield Match(
                item={"log": one.asset, "value": (view.now - one.data["since"]) // MINUTE_MS},
                record={"log": one.asset, "since": one.data["since"], "why": one.data.get("why", "")},
                identity=(one.asset, str(one.data["since"])),
                at=one.data["since"],
            )

    def turns(self, said: Sequence[Observation]) -> Iterator[int]:
        return turns_of(said, self.minutes * MINUTE_MS)


class SourceFailing(Rule, frozen=True, kw_only=True):
    """A source fails, or the answers of a blocklist cannot be trusted, for so many hours."""

    TYPE: ClassVar[str] = "MV_SOURCE_FAILING"
    READS: ClassVar[ObservationKind] = ObservationKind.SOURCE_STATE

    sources: Names
    hours: Annotated[int, Meta(ge=0, le=24 * 90)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        names = {name.lower() for name in self.sources if name != ANY} | ({ANY} & set(self.sources))
        for one in holding(view, self.READS, names, self.hours * HOUR_MS):
            yield Match(
                item={"source": one.asset, "value": round((view.now - one.data["since"]) / HOUR_MS, 1)},
                record={"source": one.asset, "since": one.data["since"], "why": one.data.get("why", "")},
                identity=(one.asset, str(one.data["since"])),
                at=one.at,
            )

    def turns(self, said: Sequence[Observation]) -> Iterator[int]:
        return turns_of(said, self.hours * HOUR_MS)


class HeartbeatMissed(Rule, frozen=True, kw_only=True):
    """A heartbeat was not called within its period and its grace."""

    TYPE: ClassVar[str] = "MV_HEARTBEAT_MISSED"
    READS: ClassVar[ObservationKind] = ObservationKind.HEARTBEAT

    heartbeats: Names

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        for one in holding(view, self.READS, self.heartbeats, 0):
            yield Match(
                item={"heartbeat": one.asset, "value": (view.now - one.data["since"]) // MINUTE_MS},
                record={"heartbeat": one.asset, "since": one.data["since"], "why": one.data.get("why", "")},
                identity=(one.asset, str(one.data["since"])),
                at=one.at,
            )


class HeartbeatReturned(Rule, frozen=True, kw_only=True):
    """A heartbeat that was missed was called again within the last day, and has not been missed since."""

    TYPE: ClassVar[str] = "MV_HEARTBEAT_RETURNED"
    READS: ClassVar[ObservationKind] = ObservationKind.HEARTBEAT

    heartbeats: Names

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        for one in view.since(self.READS, view.now - DAY_MS):
            called_at = one.data.get("called_at")  # none where it was deleted while it was late
            if one.data.get("holds") or called_at is None or not _is_meant(one.asset, self.heartbeats):
                continue
            since = one.data["since"]
            yield Match(
                item={"heartbeat": one.asset, "value": (called_at - since) // MINUTE_MS},
                record={"heartbeat": one.asset, "since": since, "called_at": called_at},
                identity=(one.asset, str(one.at)),
                at=one.at,
            )


RULES = (Quota, SendingStopped, LogSilent, SourceFailing, HeartbeatMissed, HeartbeatReturned)
