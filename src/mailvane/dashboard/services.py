"""What pages ask. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from mailvane.core.tenants.model import Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.live.changes import Changes
from mailvane.dashboard.oidc.model import Admission, Provider
from mailvane.dashboard.outages import Outages
from mailvane.dashboard.people.service import People
from mailvane.dashboard.triage.service import Triage
from mailvane.dashboard.views.store import ViewStore
from mailvane.dmarc.services import DmarcServices
from mailvane.inbound.health.model import TeamReport
from mailvane.inbound.services import InboundServices
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.tracking.tagging import Tagging
from mailvane.maillog.followed_logs import FollowedLogs
from mailvane.maillog.history import History
from mailvane.maillog.interface import MailLog
from mailvane.notify.services import NotifyServices
from mailvane.outbound.services import OutboundServices
from mailvane.reputation.services import ReputationServices
from mailvane.web.tracing import UNTRACED, Tracing


@dataclass(frozen=True)
class DashboardServices:
    """People, and the services of the rooms whose pages are shown."""

    people: People
    tenancy: Tenancy
    maillog: MailLog
    history: History
    outbound: OutboundServices
    reputation: ReputationServices
    inbound: InboundServices
    notify: NotifyServices
    dmarc: DmarcServices
    mailboxes: MailboxServices
    health: Callable[[Workspace], TeamReport]  # blocking: asked now
    zone: ZoneInfo
    changes: Changes
    views: ViewStore
    tagging: Tagging
    triage: Triage
    forget_keys: Callable[[], None] = lambda: None  # keys were changed: whoever comes next is proven anew
    oidc: Provider | None = None  # None: nobody logs in by a provider
    admission: Admission | None = None  # None: who is not known is refused
    followed: FollowedLogs | None = None  # None: this process follows no logs
    tracing: Tracing = UNTRACED
    outages: Outages = field(default_factory=Outages)
