"""What the HTTP surfaces need of the program around them. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from litestar import Request

from mailvane.domain.reputation import Source, Zone
from mailvane.services.alert_statistics import AlertStatistics
from mailvane.services.alerting import Alerting
from mailvane.services.client_keys import ClientKeys
from mailvane.services.decision_desk import DecisionDesk
from mailvane.services.feedback import NotificationIntake
from mailvane.services.governance import Governance
from mailvane.services.history import History
from mailvane.services.recording import Recorder
from mailvane.services.signing import Signing
from mailvane.services.source_schedule import SourceSchedule
from mailvane.services.tenancy import Tenancy
from mailvane.services.verification import Proving
from mailvane.services.watching import Watching
from mailvane.storage.interface import MailLog
from mailvane.storage.questions import ObservationPages
from mailvane.storage.reputation import Channels, Outbox, Profiles, Reports, Zones
from mailvane.surfaces.http.bridge import Bridge


@dataclass(frozen=True)
class OutboundServices:
    """The doors of outbound governance. The desk is started and stopped by whoever made it."""

    governance: Governance
    desk: DecisionDesk
    clients: ClientKeys
    proving: Proving
    take_notification: NotificationIntake | None = None  # None: notifications are not taken in
    clients_may_change_limits: bool = False
    trust_new_domains: bool = False  # a domain that a customer makes is approved


@dataclass(frozen=True)
class ReputationServices:
    """The doors of reputation: what is watched, the alerts over it, and a word to whoever asks sources."""

    alerting: Alerting
    statistics: AlertStatistics
    watching: Watching
    sources: SourceSchedule
    signing: Signing
    profiles: Profiles
    reports: Reports
    observed: ObservationPages
    outbox: Outbox
    channels: Channels
    zones: Zones
    reports_address: str  # for `rua=`; empty when there is none
    dictionary: Callable[[], Sequence[Zone]]  # of blocklists
    wake: Callable[[Source], None]  # something is due
    take_in: Callable[[int, Source, BinaryIO, str, int], int]  # a workspace's file of what a source would say


@dataclass(frozen=True)
class HttpServices:
    """The doors of the core, and the two things that come from outside: where we are and what time it is."""

    maillog: MailLog
    tenancy: Tenancy
    history: History
    recorder: Recorder
    outbound: OutboundServices
    reputation: ReputationServices
    zone: ZoneInfo  # of dates without a zone, of days and months
    clock: Callable[[], int]  # milliseconds since the epoch, UTC
    find_room: Callable[[], None] = lambda: None  # for more data; raises StoreFull where there is none


def services_of(request: Request[Any, Any, Any]) -> HttpServices:
    """The services that the application was made with."""
    services: HttpServices = request.app.state.services
    return services


def bridge_of(request: Request[Any, Any, Any]) -> Bridge:
    """The way from the event loop to the blocking core."""
    bridge: Bridge = request.app.state.bridge
    return bridge
