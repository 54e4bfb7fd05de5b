"""Questions about reputation that the ledger answers itself: which of many, in which order, which part, how many.

Whoever shows a list asks for the part that is shown. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from mailvane.reputation.alerts.model import Alert, EntryState, LogEntry
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Source


class TrafficFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What the days of Postmaster Tools from `since` to before `until` must say of a domain."""

    since: int
    until: int
    is_needed: bool = False  # there is such a day
    reputations: Collection[str] = ()  # the newest day has one of these; all when empty
    address_part: str = ""  # part of an address that stands among the samples of a day


class AssetQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the assets of a kind."""

    workspace: int
    kind: AssetKind
    profile_id: str | None = None
    name_part: str = ""
    traffic: TrafficFilter | None = None


class AssetPage(msgspec.Struct, frozen=True):
    total: int
    assets: list[Asset]


class ObservationPage(msgspec.Struct, frozen=True):
    total: int
    observations: list[Observation]


class ObservationQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which observations: those that tell of a time from `since` to before `until`, in milliseconds."""

    workspace: int
    kind: ObservationKind
    since: int = 0
    until: int = 2**63 - 1
    newest_only: bool = False  # of each asset and key
    assets: Collection[str] | None = None  # by name; of all when None
    asset_part: str = ""
    keys: Collection[str] | None = None
    keys_but: Collection[str] = ()
    key_part: str = ""
    true: Collection[str] = ()  # fields of the data that are true
    not_true: Collection[str] = ()
    contains: Mapping[str, str] = {}  # by field of the data: a part of its value, in any case
    one_of: Mapping[str, Collection[str]] = {}  # by field of the data: its value


class AssetSums(msgspec.Struct, frozen=True, kw_only=True):
    """What the observations of an asset come to."""

    asset: str
    count: int
    sums: Mapping[str, float]  # by field
    values: Mapping[str, int]  # of the counted field: how many observations have each


class WatchedGroup(msgspec.Struct, frozen=True):
    """The assets of one kind in one profile, or in none: there is at least one."""

    kind: AssetKind
    profile_id: str | None
    verified: bool  # at least one is


class AssetStanding(msgspec.Struct, frozen=True):
    """How much is known of the verified assets of some kinds."""

    assets: int
    unknown: int  # how many of them were not updated since a time
    error: str  # what most of the unknown ones failed with; empty when none did


class ErrorRatio(msgspec.Struct, frozen=True, kw_only=True):
    """The mean ratio of one delivery error of a domain, over the days that have it."""

    domain: str
    error_class: str
    error_type: str
    mean: float


class AlertQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts, in which order: by creation or by name, in any case; of equal ones the oldest comes first."""

    workspace: int
    profile_id: str | None = None
    by_name: bool = False
    descending: bool = False
    offset: int = 0
    limit: int = 20


class AlertPage(msgspec.Struct, frozen=True):
    total: int
    alerts: list[Alert]


class FiringQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which firings are counted; `ip` and `domain` are parts of what they name."""

    workspace: int
    since: int
    until: int  # before
    alert_id: str | None = None
    rule_type: str | None = None
    profile_id: str | None = None
    ip: str = ""
    domain: str = ""


class FiredRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many rules of one type fired, of one alert."""

    alert_id: str
    name: str  # of the alert, in the newest entry that counts
    rule_type: str
    count: int


class Standing(msgspec.Struct, frozen=True):
    """How all workspaces together stand. Says nothing of any one of them."""

    open_listings: Mapping[ObservationKind, int]
    oldest_success: Mapping[Source, int]  # of the workspace that has waited longest for each source; 0: never
    refused: Mapping[Source, int]  # how many reports arrived so far that could not be read
    refused_at: Mapping[Source, int]  # when the last of them did; 0: none did


class EntryQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which log entries are wanted."""

    workspace: int
    alert_id: str | None = None
    profile_id: str | None = None
    since: int | None = None
    until: int | None = None  # before
    daily_report_only: bool = False
    state: EntryState | None = None
    newest_first: bool = True
    offset: int = 0
    limit: int = 20


class EntryPage(msgspec.Struct, frozen=True):
    total: int
    entries: list[LogEntry]
