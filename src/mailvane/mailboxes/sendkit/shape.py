"""What the SendKit API looks like on the wire: the envelope, objects, refusals, dates. The vendor's words stand here.

Rates are percentages of what was sent, as text with one decimal; `bounceRate` alone is a fraction.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec
from litestar import Response

from mailvane.core.errors import MisnamedWorkspace, UnknownWorkspace
from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.model import KeyKind, Workspace
from mailvane.mailboxes.model import MOST_A_DAY, Mailbox, Warmup
from mailvane.mailboxes.performance import Performance, Totals
from mailvane.mailboxes.rates import percent
from mailvane.maillog.queries import EngagementCounts
from mailvane.web.dialect import JSON, Dialect, Refusal

T = TypeVar("T")

PREFIX = "/v1"
# Not all of /v1: other interfaces have their paths beside these.
_PATHS = ("analytics", "mailboxes", "warmup", "campaigns", "account", "workspaces")
_FORBIDDEN = "You don't have permission to access this resource"
_NOT_FOUND = "The requested resource was not found"
_UNKNOWN_KEY = "Invalid or missing API key"  # ours


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every refusal."""

    error: str
    message: str
    code: int


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """The envelope of everything that succeeds."""

    success: bool
    data: T


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """The envelope of a list that comes page by page."""

    success: bool
    data: list[T]
    pagination: Pagination


class Pagination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a client that goes on from a cursor, or that asks for pages by number as an older version of the API had them.

    # ours: `nextCursor` and `hasMore`, which the vendor's pages cut off.
    """

    limit: int
    nextCursor: str | msgspec.UnsetType | None = msgspec.UNSET  # noqa: N815 - the wire's names, likewise below
    hasMore: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    page: int | msgspec.UnsetType = msgspec.UNSET
    total: int | msgspec.UnsetType = msgspec.UNSET
    pages: int | msgspec.UnsetType = msgspec.UNSET


class Counts(msgspec.Struct, frozen=True):
    sent: int
    opened: int
    clicked: int
    bounced: int
    replied: int
    positiveReplied: int  # noqa: N815


class Rates(msgspec.Struct, frozen=True):
    open: str
    click: str
    bounce: str
    reply: str
    positiveReply: str  # noqa: N815


class WarmupBrief(msgspec.Struct, frozen=True):
    enabled: bool
    status: str


class MailboxPerformance(msgspec.Struct, frozen=True):
    """One element of `/v1/analytics/mailboxes`, its fields in the vendor's order."""

    _id: str
    email: str
    displayName: str  # noqa: N815
    status: str
    totalSent: int  # noqa: N815
    totalReceived: int  # noqa: N815
    bounceRate: float  # noqa: N815
    sentToday: int  # noqa: N815
    dailySendLimit: int  # noqa: N815
    warmup: WarmupBrief
    performance: Counts
    rates: Rates


class MailboxBrief(msgspec.Struct, frozen=True):
    id: str
    email: str
    displayName: str  # noqa: N815
    status: str


class MailboxStats(msgspec.Struct, frozen=True):
    mailbox: MailboxBrief
    stats: Counts
    rates: Rates


class Day(msgspec.Struct, frozen=True):
    _id: str
    sent: int
    opened: int
    clicked: int
    bounced: int
    replied: int
    positiveReplied: int  # noqa: N815


class SequenceCounts(msgspec.Struct, frozen=True):
    sent: int
    opened: int
    clicked: int
    bounced: int


class BySequence(msgspec.Struct, frozen=True):
    main: SequenceCounts
    subsequence: SequenceCounts


class Overview(msgspec.Struct, frozen=True):
    totalSent: int  # noqa: N815
    totalOpened: int  # noqa: N815
    totalClicked: int  # noqa: N815
    totalBounced: int  # noqa: N815
    totalReplied: int  # noqa: N815
    totalPositiveReplied: int  # noqa: N815
    totalCampaigns: int  # noqa: N815
    activeCampaigns: int  # noqa: N815
    bySequence: BySequence  # noqa: N815
    rates: Rates


class CampaignBrief(msgspec.Struct, frozen=True):
    id: str
    name: str
    status: str


class StartedCampaign(msgspec.Struct, frozen=True):
    id: str
    name: str
    status: str
    startedAt: str  # noqa: N815


class CampaignStats(msgspec.Struct, frozen=True):
    sent: int
    delivered: int
    opened: int
    clicked: int
    replied: int
    bounced: int
    unsubscribed: int


class StepStats(msgspec.Struct, frozen=True):
    _id: int  # place in its sequence, from 0
    sent: int
    opened: int
    clicked: int
    bounced: int


class StepName(msgspec.Struct, frozen=True):
    sequenceStep: int  # noqa: N815
    variant: int  # ours: always 0, as variants are not told apart


class StepAnalytics(msgspec.Struct, frozen=True):
    _id: StepName
    sent: int
    opened: int
    clicked: int
    bounced: int


class Trigger(msgspec.Struct, frozen=True):
    type: str
    value: str


class Subsequence(msgspec.Struct, frozen=True):
    id: str
    name: str
    trigger: Trigger  # ours: its value is empty; what a sender begins a sequence by is its own affair
    enabled: bool
    archived: bool
    addedCount: int  # noqa: N815 - ours: mails of its first step
    currentlyEnrolled: int  # noqa: N815 - ours: 0
    stats: CampaignStats
    stepStats: list[StepStats]  # noqa: N815


class CampaignTotals(msgspec.Struct, frozen=True):
    """Of `/v1/analytics/campaigns/{id}`."""

    campaign: CampaignBrief
    stats: CampaignStats
    bySequence: BySequence  # noqa: N815
    stepStats: list[StepStats]  # noqa: N815
    subsequences: list[Subsequence]


class CampaignAnalytics(msgspec.Struct, frozen=True):
    """Of `/v1/campaigns/{id}/analytics`."""

    campaign: StartedCampaign
    stats: CampaignStats
    bySequence: BySequence  # noqa: N815
    stepAnalytics: list[StepAnalytics]  # noqa: N815
    subsequences: list[Subsequence]


class Membership(msgspec.Struct, frozen=True):
    workspaceId: str  # noqa: N815
    role: str
    joinedAt: str  # noqa: N815


class Account(msgspec.Struct, frozen=True):
    id: str
    name: str
    email: str
    image: str | None
    tier: str
    workspaces: list[Membership]


class WorkspaceObject(msgspec.Struct, frozen=True):
    id: str
    name: str
    ownerId: str  # noqa: N815
    memberCount: int  # noqa: N815
    createdAt: str  # noqa: N815


def ok(data: T) -> Answer[T]:
    return Answer(True, data)


def counts(one: EngagementCounts) -> Counts:
    return Counts(one.sent, one.opened, one.clicked, one.bounced, one.replied, one.positive)


def rates(one: EngagementCounts) -> Rates:
    return Rates(
        open=percent(one.opened, one.sent),
        click=percent(one.clicked, one.sent),
        bounce=percent(one.bounced, one.sent),
        reply=percent(one.replied, one.sent),
        positiveReply=percent(one.positive, one.sent),
    )


def performance(one: Performance, now: int) -> MailboxPerformance:
    mailbox, totals = one.mailbox, one.totals
    return MailboxPerformance(
        mailbox.id, mailbox.address, shown_name(mailbox), mailbox.status, totals.sent, totals.received,
        bounce_rate(totals), totals.sent_today, daily_limit(mailbox), warmup(mailbox.warmup, now), counts(one.counts),
        rates(one.counts),
    )  # fmt: skip


def stats(one: Performance) -> MailboxStats:
    return MailboxStats(brief(one.mailbox), counts(one.counts), rates(one.counts))


def brief(mailbox: Mailbox) -> MailboxBrief:
    return MailboxBrief(mailbox.id, mailbox.address, shown_name(mailbox), mailbox.status)


def shown_name(mailbox: Mailbox) -> str:
    """# ours: what stands before the @ where there is no name."""
    return mailbox.display_name or mailbox.address.rpartition("@")[0]


def bounce_rate(totals: Totals) -> float:
    """A fraction of one."""
    return round(totals.bounced / totals.sent, 4) if totals.sent else 0.0


def daily_limit(mailbox: Mailbox) -> int:
    """# ours: without a limit, the greatest number that there is."""
    return MOST_A_DAY if mailbox.daily_limit is None else mailbox.daily_limit


def warmup(one: Warmup, now: int) -> WarmupBrief:
    return WarmupBrief(one.started_at > 0, one.status(now))


def day(one: EngagementCounts) -> Day:
    return Day(date(one.day), one.sent, one.opened, one.clicked, one.bounced, one.replied, one.positive)


def sequence_counts(one: EngagementCounts) -> SequenceCounts:
    return SequenceCounts(one.sent, one.opened, one.clicked, one.bounced)


def campaign_stats(one: EngagementCounts) -> CampaignStats:
    return CampaignStats(one.sent, one.delivered, one.opened, one.clicked, one.replied, one.bounced, one.unsubscribed)


def step_stats(one: EngagementCounts) -> StepStats:
    return StepStats(one.step, one.sent, one.opened, one.clicked, one.bounced)


def workspace(one: Workspace) -> WorkspaceObject:
    return WorkspaceObject(str(one.id), one.name, OWNER, 1, moment(one.created_at))


OWNER = "000000000000000000000000"  # ours: there are keys, not people


def moment(ms: int) -> str:
    """`2024-05-01T00:00:00.000Z`."""
    found = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{found:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def date(ms: int) -> str:
    """`2024-05-01`."""
    return f"{datetime.fromtimestamp(ms // DAY_MS * DAY_MS // 1000, UTC):%Y-%m-%d}"


def render(refusal: Refusal) -> Response[bytes]:
    status, message = refusal.status, refusal.message
    if isinstance(refusal.cause, UnknownWorkspace | MisnamedWorkspace):
        status = 403  # ours: whether a workspace is there is nobody's business who has no key to it
    if status == 401:
        message = _UNKNOWN_KEY
    elif status == 403:
        message = _FORBIDDEN
    elif status == 404:
        message = _NOT_FOUND
    body = ErrorAnswer(HTTPStatus(status).phrase, message, status)
    return Response(msgspec.json.encode(body), status_code=status, media_type=JSON, headers=dict(refusal.headers))


DIALECT = Dialect(
    name="sendkit",
    render=render,
    prefixes=tuple(f"{PREFIX}/{path}" for path in _PATHS),
    kinds=frozenset({KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.MASTER}),
    refusals=frozenset({400, 401, 403, 404, 500, 503}),
    refused=ErrorAnswer,
)
