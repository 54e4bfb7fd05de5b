"""Questions about reputation that the ledger answers itself: which of many, in which order, which part, how many.

Whoever shows a list asks for the part that is shown. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind


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


class ObservationPages(Protocol):
    def observation_page(
        self, question: ObservationQuestion, offset: int, limit: int, newest_first: bool = True
    ) -> ObservationPage:
        """A part of them in the order of their times, and how many there are in all."""

    def keyed_page(
        self, question: ObservationQuestion, offset: int, limit: int, descending: bool = False
    ) -> ObservationPage:
        """A part of them in the order of their keys, and how many there are in all."""

    def observations_by_asset(self, question: ObservationQuestion) -> dict[str, list[Observation]]:
        """All of them, by key and time; for questions that name few assets."""

    def error_ratios(self, question: ObservationQuestion) -> list[ErrorRatio]:
        """The delivery errors of days of Postmaster Tools, by domain, class and type."""

    def counts_by(self, question: ObservationQuestion, field: str) -> list[tuple[str, int]]:
        """How many have each value of a field of the data, the most first."""

    def counts_by_day(self, question: ObservationQuestion) -> dict[int, int]:
        """How many each day of UTC has, by days since the epoch."""

    def sums_by_asset(
        self, question: ObservationQuestion, fields: Sequence[str], counted: str | None = None
    ) -> list[AssetSums]:
        """Numeric fields of the data added up, asset by asset in order; and how often each value of one more field."""


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


class FiringCounts(Protocol):
    """Counts over the alert log."""

    def matched_items(self, question: FiringQuestion) -> list[tuple[Mapping[str, Any], int]]:
        """What matched, without the value that was compared, and how often; in no order."""

    def fired_rules(self, question: FiringQuestion) -> list[FiredRules]:
        """By alert and rule type, in no order; a rule counts when something of it matches."""

    def firing_days(self, question: FiringQuestion) -> dict[int, int]:
        """How many entries each day of UTC has, by days since the epoch."""
