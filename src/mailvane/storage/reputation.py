"""The ledger's part in reputation: assets, observations, alerts, their log, the outbox. Protocols, like `interface`.

Every method is one transaction. Whatever carries a workspace is never read or changed without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mailvane.domain.alerts import (
    Alert,
    Attempt,
    EntryState,
    LogEntry,
    MaintenanceWindow,
    Memory,
    Notification,
    NotificationState,
    SigningSecret,
    SlackIntegration,
    Target,
)
from mailvane.domain.reputation import (
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
from mailvane.storage.questions import AlertPage, AlertQuestion, AssetPage, AssetQuestion, AssetStanding


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
    def memories(self, alert_ids: Collection[str]) -> Mapping[str, Memory]:
        """Of those that were evaluated before. One that cannot be read any more comes empty, and is begun anew."""

    def failures(self, alert_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """`Memory.failures` of those that have any."""

    def remember(self, memory: Memory, entry: LogEntry | None, notifications: Sequence[Notification]) -> bool:
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


class Outbox(Protocol):
    def post(self, notifications: Sequence[Notification]) -> None:
        """Keep messages that no alert caused, such as a daily report. An id that is known changes nothing."""

    def take(self, now: int, limit: int, hold_ms: int) -> list[Notification]:
        """Pending ones that are due, the oldest first; nobody else takes them within `hold_ms`."""

    def let_go(self, now: int, hold_ms: int, ids: Collection[str] | None = None) -> int:
        """End the holds of those taken within `hold_ms` and not settled, of all when None; how many are due again."""

    def settle_notification(self, notification: Notification, attempt: Attempt) -> None:
        """Keep state, attempts and next_at as they now are, and add to its delivery log."""

    def notifications(
        self, workspace: int, state: NotificationState | None = None, limit: int = 100
    ) -> list[Notification]:
        """The newest first."""

    def attempts(self, workspace: int, notification_id: str) -> list[Attempt]:
        """Oldest first. Raises NotFound."""

    def resend(self, workspace: int, notification_id: str, now: int) -> Notification:
        """Make it pending and due again, whatever became of it. Raises NotFound."""

    def targets(self, workspace: int) -> list[Target]: ...

    def save_target(self, target: Target) -> None: ...


class Channels(Protocol):
    """What notifications need besides a target."""

    def signing_secrets(self, workspace: int, now: int) -> list[SigningSecret]:
        """Those that live, the current one first."""

    def change_signing_secrets(
        self, workspace: int, now: int, change: Callable[[Sequence[SigningSecret]], Sequence[SigningSecret]]
    ) -> list[SigningSecret]:
        """Replace those that live; what lives then, the current one first. Two changes at once follow one another."""

    def slack_integrations(self, workspace: int) -> list[SlackIntegration]: ...

    def add_slack_integration(self, integration: SlackIntegration) -> None: ...

    def remove_slack_integration(self, workspace: int, integration_id: str) -> None:
        """Raises NotFound."""


class AggregateReport(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a DMARC aggregate report. Unique by workspace, organisation, report id, policy domain and times."""

    id: str
    organisation: str
    report_id: str
    domain: str
    begins: int
    ends: int
    received_at: int
    head: Mapping[str, Any]  # metadata and published policy as parsed
    messages: int
    rows: int


class RowQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of aggregate reports are wanted; `ends` of their report decides the time."""

    workspace: int
    since: int
    until: int  # before
    domain: str | None = None
    source_ip: str | None = None
    failing_only: bool = False
    offset: int = 0
    limit: int = 100


class ReportQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which aggregate, TLS or abuse reports: those of a time from `since` to before `until`, the newest first."""

    workspace: int
    since: int
    until: int  # before
    domain: str | None = None
    failing_only: bool = False  # TLS: with a failed session
    feedback_type: str | None = None  # abuse: `abuse`, `fraud`, `auth-failure`, ... (RFC 5965 section 7.3)
    offset: int = 0
    limit: int = 100


class TlsDomain(msgspec.Struct, frozen=True, kw_only=True):
    """All TLS reports of one policy domain that a question asks for."""

    domain: str
    reports: int
    succeeded: int  # sessions
    failed: int


class TlsPage(msgspec.Struct, frozen=True):
    """A page of TLS reports, and what all of them add up to by domain, those of the most failed sessions first."""

    total: int
    domains: list[TlsDomain]
    reports: list[Observation]


class AbuseDomain(msgspec.Struct, frozen=True, kw_only=True):
    """All abuse reports of one domain and feedback type that a question asks for."""

    domain: str
    feedback_type: str
    reports: int


class AbusePage(msgspec.Struct, frozen=True):
    """A page of abuse and authentication failure reports, and how many there are by domain and type."""

    total: int
    domains: list[AbuseDomain]
    reports: list[Observation]


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """All reports of one policy domain in a stretch of time."""

    domain: str
    reports: int
    organisations: tuple[str, ...]  # those that report the most messages first
    messages: int
    policy: str  # of the newest report


class SenderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one address sent in the name of one domain."""

    domain: str
    source_ip: str
    messages: int
    dkim_aligned: int
    spf_aligned: int
    passed: int  # either is aligned
    dispositions: Mapping[str, int]
    organisations: tuple[str, ...]


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True):
    domains: tuple[DomainSummary, ...]
    senders: tuple[SenderSummary, ...]  # those of the most messages first


class AggregatePage(msgspec.Struct, frozen=True):
    total: int
    reports: list[AggregateReport]


class Reports(Protocol):
    def report_summary(self, question: RowQuestion, most_senders: int) -> ReportSummary:
        """Of all rows that the question is about; its offset and limit do not matter."""

    def tls_reports(self, question: ReportQuestion) -> TlsPage:
        """What TLS reports (RFC 8460) say; the end of a report's range decides the time."""

    def abuse_reports(self, question: ReportQuestion) -> AbusePage:
        """Complaints (RFC 5965) and authentication failures (RFC 6591); the arrival of their mail decides the time."""

    def add_report(self, workspace: int, report: AggregateReport, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Keep a report with its rows, in memory a few at a time; False when it is known already."""

    def same_report(self, workspace: int, report: AggregateReport) -> AggregateReport | None:
        """The one that is kept of the same identity."""

    def reports(self, workspace: int, since: int, until: int, domain: str | None = None) -> list[AggregateReport]:
        """Those that end from `since` to before `until`, the newest first."""

    def report_page(self, question: ReportQuestion) -> AggregatePage:
        """Aggregate reports by the end of their range."""

    def report_rows(self, question: RowQuestion) -> tuple[int, list[Mapping[str, Any]]]:
        """How many there are, and a page of them, as parsed, by count of messages."""


class Lease(msgspec.Struct, frozen=True):
    """What one process does alone until then, unless it renews it."""

    name: str
    holder: str
    until: int


class Leases(Protocol):
    def hold(self, name: str, holder: str, now: int, for_ms: int) -> bool:
        """Take or renew a lease; False while somebody else holds it."""

    def give_back(self, name: str, holder: str) -> None:
        """Let others have it, if it is still this holder's."""

    def void_leases(self) -> int:
        """End those of everybody, who are known to be gone; how many."""

    def leases(self, now: int) -> list[Lease]:
        """Those that are held, by name."""
