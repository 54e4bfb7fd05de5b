"""The ledger's part in reputation: assets, observations, alerts, their log, the outbox. Protocols, like `interface`.

Every method is one transaction. Whatever carries a workspace is never read or changed without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from mailvane.notify.model import Notification
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, LogEntry, MaintenanceWindow
from mailvane.reputation.model import (
    Asset,
    AssetKind,
    Observation,
    ObservationKind,
    Profile,
    Source,
    SourceHealth,
    Zone,
    ZoneHealth,
)
from mailvane.reputation.questions import AlertPage, AlertQuestion, AssetPage, AssetQuestion, AssetStanding


class Profiles(Protocol):
    def add_profile(self, profile: Profile) -> Profile:
        """Raises AlreadyExists."""

    def profiles(self, workspace: int) -> list[Profile]:
        """By name."""

    def save_profile(self, profile: Profile) -> None:
        """Raises NotFound, AlreadyExists."""

    def remove_profile(self, workspace: int, profile_id: str) -> None:
        """What had it has none then. Raises NotFound."""


class Assets(Protocol):
    def add_assets(self, assets: Sequence[Asset]) -> list[Asset]:
        """Keep new ones. One that is known by workspace, kind and name comes back as it is; in the order given."""

    def assets(self, workspace: int | None, kinds: Collection[AssetKind], profile_id: str | None = None) -> list[Asset]:
        """By name; of all workspaces when None."""

    def asset(self, workspace: int, kind: AssetKind, asset_id: str) -> Asset | None: ...

    def assets_named(self, workspace: int, kind: AssetKind, names: Collection[str]) -> list[Asset]:
        """Those of these names that are watched, by name."""

    def change_asset(self, workspace: int, asset_id: str, change: Callable[[Asset], Asset]) -> Asset:
        """Read, change and write under a lock. Raises NotFound."""

    def change_assets(self, workspace: int, changes: Mapping[str, Callable[[Asset], Asset]]) -> None:
        """Many at once, by their ids; those that are not there any more are passed over."""

    def remove_asset(self, workspace: int, kind: AssetKind, asset_id: str) -> None:
        """Its observations stay, for the log's sake. Raises NotFound."""

    def asset_page(self, question: AssetQuestion, offset: int, limit: int, descending: bool = False) -> AssetPage:
        """A part of them by name, and how many there are in all."""

    def asset_count(self, workspace: int, kind: AssetKind) -> int: ...

    def assets_asked_before(self, kinds: Collection[AssetKind], answered: int, failed: int) -> list[Asset]:
        """Verified ones of all workspaces, by name, that were asked about then at the latest, or never.

        The time for those whose last attempt failed is another one.
        """

    def asset_standing(self, workspace: int, kinds: Collection[AssetKind], fresh_since: int) -> AssetStanding:
        """Whatever was updated before `fresh_since` is unknown."""

    def asset_ids(self, workspace: int, kinds: Collection[AssetKind], ids: Collection[str] | None = None) -> list[str]:
        """Of all of these kinds, or those of them that are named by their ids."""


class Standing(msgspec.Struct, frozen=True):
    """How all workspaces together stand. Says nothing of any one of them."""

    open_listings: Mapping[ObservationKind, int]
    oldest_success: Mapping[Source, int]  # of the workspace that has waited longest for each source; 0: never
    refused: Mapping[Source, int]  # how many reports arrived so far that could not be read
    refused_at: Mapping[Source, int]  # when the last of them did; 0: none did


class Observations(Protocol):
    def observe(self, workspace: int, told: Iterable[Observation]) -> None:
        """Keep them. One that is known gets the later `confirmed_at`, with new data if it is of a corrected kind."""

    def latest(
        self,
        workspace: int,
        kinds: Collection[ObservationKind],
        assets: Collection[str] | None = None,
        seen_until: int | None = None,
    ) -> list[Observation]:
        """The newest of each kind, asset and key, of those that had been seen then."""

    def between(
        self, workspace: int, kinds: Collection[ObservationKind], since: int, until: int, asset: str | None = None
    ) -> list[Observation]:
        """Those that tell of a time from `since` to before `until`, oldest first."""

    def is_observed(self, workspace: int, kind: ObservationKind, asset: str, key: str, at: int | None = None) -> bool:
        """Whether it is kept already: for that time, or for any."""

    def forget_observations(self, kinds: Collection[ObservationKind], before: int) -> int:
        """Remove what tells of a time before, except the newest of each asset and key; how many."""

    def standing(self) -> Standing: ...

    def health(self, workspace: int) -> list[SourceHealth]: ...

    def save_health(self, workspace: int, source: Source, change: Callable[[SourceHealth], SourceHealth]) -> None: ...


class Zones(Protocol):
    """What the operator changed of the shipped dictionary of blocklists, and how each zone does."""

    def zones(self) -> list[Zone]:
        """Those that were changed or added here."""

    def save_zone(self, zone: Zone) -> None: ...

    def forget_zone(self, host: str) -> None:
        """Back to what is shipped. Raises NotFound."""

    def zone_health(self) -> list[ZoneHealth]: ...

    def save_zone_health(self, health: Sequence[ZoneHealth]) -> None: ...


class Alerts(Protocol):
    def add_alert(self, alert: Alert) -> None: ...

    def alerts(self, workspace: int | None, profile_id: str | None = None) -> list[Alert]:
        """By creation; of all workspaces when None."""

    def alert_page(self, question: AlertQuestion) -> AlertPage: ...

    def alert(self, workspace: int, alert_id: str) -> Alert | None: ...

    def change_alert(self, workspace: int, alert_id: str, change: Callable[[Alert], Alert]) -> Alert:
        """Read, change and write under a lock. Raises NotFound."""

    def remove_alert(self, workspace: int, alert_id: str) -> None:
        """With its memory; its log stays. Raises NotFound."""

    def windows(self, workspace: int, at: int | None = None) -> list[MaintenanceWindow]:
        """All, or those that are open at a time; the latest first."""

    def add_window(self, window: MaintenanceWindow) -> None: ...

    def remove_window(self, workspace: int, window_id: str) -> None:
        """Raises NotFound."""


class EntryQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which log entries are wanted."""

    workspace: int
    alert_id: str | None = None
    profile_id: str | None = None
    since: int | None = None
    until: int | None = None  # before
    daily_report_only: bool = False
    newest_first: bool = True
    offset: int = 0
    limit: int = 20


class EntryPage(msgspec.Struct, frozen=True):
    total: int
    entries: list[LogEntry]


class AlertLog(Protocol):
    def memories(self, alert_ids: Collection[str]) -> Mapping[str, AlertState]:
        """Of those that were evaluated before. One that cannot be read any more comes empty, and is begun anew."""

    def failures(self, alert_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """`AlertState.failures` of those that have any."""

    def remember(self, memory: AlertState, entry: LogEntry | None, notifications: Sequence[Notification]) -> bool:
        """Keep what an evaluation brought, the memory as the version after the one it was made from.

        The entry and the outbox's rows are kept in the same transaction. False, and nothing is kept, when another
        evaluation of that alert came first, or the alert is gone.
        """

    def entries(self, question: EntryQuestion) -> EntryPage: ...

    def firing(self, since: int) -> int:
        """How many alerts of all workspaces fired since then, and nobody has resolved it."""

    def entry(self, workspace: int, entry_id: str) -> LogEntry | None: ...

    def mark_entry(self, workspace: int, entry_id: str, state: EntryState, at: int, by: str) -> LogEntry:
        """Raises NotFound."""
