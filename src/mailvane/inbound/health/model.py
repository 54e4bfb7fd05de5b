"""What a health report consists of. Values only; times are milliseconds since the epoch, UTC.

What could not be asked is None, never 0, and has its reason in `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

COUNTS = ("weekly_used", "aliases_used", "mailboxes_used", "quarantine_pending", "failed_count", "denied_count")
"""The metrics that count something; the others are limits, and what follows from both."""


class Status(StrEnum):
    """How a team stands."""

    HEALTHY = "healthy"
    ALERTS = "alerts"
    UNKNOWN = "unknown"  # no alert, but something could not be asked

    @property
    def exit_status(self) -> int:
        return {Status.HEALTHY: 0, Status.ALERTS: 1, Status.UNKNOWN: 2}[self]


class Sender(msgspec.Struct, frozen=True):
    """A contact, with how many mails came from it."""

    email: str
    count: int
    state: str  # unset, whitelisted, blocked, muted, prioritized


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Named as the vendor's guide names them."""

    weekly_used: int | None = None
    weekly_limit: int | None = None  # 0: no limit
    usage_pct: int | None = None  # 0 where there is no limit
    aliases_used: int | None = None
    aliases_limit: int | None = None  # 0: no limit
    mailboxes_used: int | None = None
    quarantine_pending: int | None = None
    failed_count: int | None = None
    denied_count: int | None = None
    top_senders: tuple[Sender, ...] | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a team's server said at a time."""

    team: str
    at: int
    metrics: Metrics = Metrics()
    estimates: tuple[str, ...] = ()  # names of metrics that were reckoned from a number of pages
    unknown: Mapping[str, str] = {}  # metric: why it could not be asked


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How a count went, by its daily readings."""

    metric: str
    span: str  # "week": against the week before; "gradual": each week against the one before, over several
    change_pct: float
    low_pct: float  # 99 % interval
    high_pct: float
    days: int  # readings that it rests on
    is_clear: bool  # the interval leaves out no change, and the change is large enough to matter


class DayCounts(msgspec.Struct, frozen=True):
    """The newest reading of a day: metric to count; what is unknown is missing."""

    day: str  # 2026-11-20
    counts: Mapping[str, int]
    estimates: tuple[str, ...] = ()


class TeamReport(msgspec.Struct, frozen=True, kw_only=True):
    """A team's report."""

    reading: Reading
    alerts: tuple[str, ...] = ()
    trends: tuple[Change, ...] = ()
    days: tuple[DayCounts, ...] = ()  # oldest first; for the chart
    remedied: str = ""  # what was released from quarantine by rule after the reading, or would have been

    @property
    def status(self) -> Status:
        if self.alerts:
            return Status.ALERTS
        return Status.UNKNOWN if self.reading.unknown else Status.HEALTHY


class HealthReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="health"):
    """The reports of all teams that were asked about."""

    day: str  # 2026-11-20, in the time zone of the settings
    at: int
    teams: tuple[TeamReport, ...]

    @property
    def status(self) -> Status:
        return worst(each.status for each in self.teams)


def worst(found: Iterable[Status]) -> Status:
    """An alert is certain, and so comes before what is unknown. Nothing asked is unknown."""
    known = set(found)
    if Status.ALERTS in known:
        return Status.ALERTS
    return Status.HEALTHY if known == {Status.HEALTHY} else Status.UNKNOWN


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in quarantine."""

    id: str
    sender: str  # address of the contact
    state: str | None = None  # of the contact; None: the server does not say
    subject: str = ""


class ReleaseState(StrEnum):
    ASKED = "asked"  # the server was asked, or was about to be; how it ended is not known
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNDONE = "undone"  # the sender's mail is not released by rule any more


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a rule let out of quarantine."""

    id: str
    team: str
    message: str  # the server's id of it
    sender: str
    subject: str
    state: ReleaseState
    at: int
    detail: str = ""  # what the server said


class Remedied(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or would be, for a team."""

    team: str
    held: int | None = None  # messages in quarantine; None: not known
    wanted: tuple[HeldMessage, ...] = ()  # those of whitelisted contacts, the longest held first
    releases: tuple[Release, ...] = ()  # what was asked for; none in a dry run
    told: str = ""  # why nothing, or not all, was done
