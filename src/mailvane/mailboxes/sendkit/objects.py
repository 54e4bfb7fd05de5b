"""Mailboxes and their warm-up as the SendKit API shows them. Shapes alone."""

from __future__ import annotations

from typing import Any

import msgspec

from mailvane.mailboxes.health import DnsHealth, RecordHealth
from mailvane.mailboxes.model import DnsStanding, Mailbox, Provider, Server, Warmup, WarmupStatus
from mailvane.mailboxes.performance import Totals
from mailvane.mailboxes.sendkit.shape import bounce_rate, daily_limit, moment, shown_name
from mailvane.mailboxes.warmup import Placement


class Metrics(msgspec.Struct, frozen=True):
    """Of a warm-up; rates in whole percent."""

    totalEmailsSent: int  # noqa: N815 - the wire's names, likewise below
    inboxRate: int  # noqa: N815
    spamRate: int  # noqa: N815
    promotionsRate: int  # noqa: N815 - ours: always 0, as folders cannot be seen
    replyRate: int  # noqa: N815
    totalRepliesReceived: int  # noqa: N815
    blockRate: int  # noqa: N815 - ours: always 0
    bounceRate: int  # noqa: N815
    deferralRate: int  # noqa: N815 - ours: always 0
    openRate: int  # noqa: N815
    lastCalculatedAt: str  # noqa: N815


class WarmupConfig(msgspec.Struct, frozen=True):
    startingVolume: int  # noqa: N815
    dailyIncrease: int  # noqa: N815
    targetVolume: int  # noqa: N815


class WarmupObject(msgspec.Struct, frozen=True):
    enabled: bool
    status: str
    currentDay: int  # noqa: N815
    currentVolume: int  # noqa: N815
    metrics: Metrics
    config: WarmupConfig
    startedAt: str | None  # noqa: N815


class Score(msgspec.Struct, frozen=True):
    """Of DNS: 25 for each of MX, SPF, DKIM and DMARC that is in order (# ours)."""

    healthScore: int | None  # noqa: N815 - null until the mailbox's health was asked for


class Standing(msgspec.Struct, frozen=True):
    status: str


class SetupStatus(Score, frozen=True):
    """And each of the four, `unknown` until then."""

    mx: Standing
    spf: Standing
    dkim: Standing
    dmarc: Standing


class MailboxObject(msgspec.Struct, frozen=True, kw_only=True):
    """An element of the list."""

    _id: str = ""
    email: str
    displayName: str  # noqa: N815
    provider: str
    status: str
    connectionType: str  # noqa: N815
    dailySendLimit: int  # noqa: N815
    sentToday: int  # noqa: N815
    sendingEnabled: bool  # noqa: N815
    signature: str
    warmup: WarmupObject
    tags: tuple[str, ...]
    bounceRate: float  # noqa: N815
    totalSent: int  # noqa: N815
    setupStatus: Score  # noqa: N815
    lastError: str | None  # noqa: N815 - ours: null, as Mailvane connects to no mailbox
    createdAt: str  # noqa: N815


class MailboxDetail(MailboxObject, frozen=True, kw_only=True):
    """One by its id."""

    setupStatus: SetupStatus  # noqa: N815
    smtpHost: str  # noqa: N815
    smtpPort: int  # noqa: N815
    smtpSecure: bool  # noqa: N815
    imapHost: str  # noqa: N815
    imapPort: int  # noqa: N815
    imapSecure: bool  # noqa: N815
    totalReceived: int  # noqa: N815
    updatedAt: str  # noqa: N815


class MxRecord(msgspec.Struct, frozen=True):
    exchange: str
    priority: int


class MxObject(msgspec.Struct, frozen=True):
    status: str
    records: list[MxRecord]


class RecordObject(msgspec.Struct, frozen=True):
    status: str
    record: str | None


class DkimObject(msgspec.Struct, frozen=True):
    status: str
    selector: str | None
    record: str | None


class DnsObject(msgspec.Struct, frozen=True):
    mx: MxObject
    spf: RecordObject
    dkim: DkimObject
    dmarc: RecordObject
    healthScore: int  # noqa: N815


class Deliverability(msgspec.Struct, frozen=True):
    bounceRate: float  # noqa: N815
    totalSent: int  # noqa: N815
    totalReceived: int  # noqa: N815
    consecutiveFailures: int  # noqa: N815 - ours: 0, as Mailvane connects to no mailbox


class Health(msgspec.Struct, frozen=True):
    """Of `/v1/mailboxes/{id}/health`."""

    email: str
    status: str
    sendingEnabled: bool  # noqa: N815
    dns: DnsObject
    warmup: WarmupObject
    deliverability: Deliverability
    dailySendLimit: int  # noqa: N815
    sentToday: int  # noqa: N815
    lastError: str | None  # noqa: N815


class WarmupStats(msgspec.Struct, frozen=True):
    totalSent: int  # noqa: N815
    inbox: int
    spam: int
    promotions: int
    replied: int
    opened: int
    inboxRate: int  # noqa: N815
    spamRate: int  # noqa: N815
    healthScore: int  # noqa: N815


class WarmedMailbox(msgspec.Struct, frozen=True):
    """An element of `/v1/warmup/stats`."""

    id: str
    email: str
    displayName: str  # noqa: N815
    warmup: WarmupObject
    stats: WarmupStats


class WarmupSummary(msgspec.Struct, frozen=True):
    totalSent: int  # noqa: N815
    inbox: int
    spam: int
    promotions: int
    replied: int
    opened: int
    inboxRate: int  # noqa: N815
    spamRate: int  # noqa: N815
    warmingMailboxes: int  # noqa: N815
    days: int


class WarmupOverview(msgspec.Struct, frozen=True):
    summary: WarmupSummary
    mailboxes: list[WarmedMailbox]


class Name(msgspec.Struct, frozen=True):
    id: str
    email: str
    displayName: str  # noqa: N815


class PlacementBreakdown(msgspec.Struct, frozen=True):
    inbox: int
    spam: int
    promotions: int
    other: int
    not_detected: int  # sent, and neither delivered nor complained of


class WarmupDay(msgspec.Struct, frozen=True):
    _id: str
    sent: int
    inbox: int
    spam: int
    replied: int
    opened: int


class WarmupOfMailbox(msgspec.Struct, frozen=True):
    """Of `/v1/warmup/stats/{id}`."""

    mailbox: Name
    warmup: WarmupObject
    totalSent: int  # noqa: N815
    placementBreakdown: PlacementBreakdown  # noqa: N815
    dailyStats: list[WarmupDay]  # noqa: N815
    days: int


def listed(mailbox: Mailbox, totals: Totals, metrics: Placement, now: int) -> MailboxObject:
    return MailboxObject(**_shown(mailbox, totals, metrics, now))


def detail(mailbox: Mailbox, totals: Totals, metrics: Placement, now: int) -> MailboxDetail:
    smtp, imap = mailbox.smtp, mailbox.imap
    shown = _shown(mailbox, totals, metrics, now) | {"setupStatus": _setup(mailbox.dns)}
    return MailboxDetail(
        **shown, **_server("smtp", smtp), **_server("imap", imap),
        totalReceived=totals.received, updatedAt=moment(mailbox.updated_at),
    )  # fmt: skip


def _setup(dns: DnsStanding) -> SetupStatus:
    return SetupStatus(_score(dns), *(Standing(each) for each in (dns.mx, dns.spf, dns.dkim, dns.dmarc)))


def _score(dns: DnsStanding) -> int | None:
    return dns.score if dns.at else None


def _server(name: str, server: Server) -> dict[str, Any]:
    return {f"{name}Host": server.host, f"{name}Port": server.port, f"{name}Secure": server.secure}


def _shown(mailbox: Mailbox, totals: Totals, metrics: Placement, now: int) -> dict[str, Any]:
    return {
        "_id": mailbox.id,
        "email": mailbox.address,
        "displayName": shown_name(mailbox),
        "provider": mailbox.provider,
        "status": mailbox.status,
        "connectionType": connection_type(mailbox.provider),
        "dailySendLimit": daily_limit(mailbox),
        "sentToday": totals.sent_today,
        "sendingEnabled": mailbox.sending_enabled,
        "signature": mailbox.signature,
        "warmup": warmup(mailbox.warmup, metrics, now),
        "tags": mailbox.tags,
        "bounceRate": bounce_rate(totals),
        "totalSent": totals.sent,
        "setupStatus": Score(_score(mailbox.dns)),
        "lastError": None,
        "createdAt": moment(mailbox.created_at),
    }


def connection_type(provider: Provider) -> str:
    """# ours: the large providers are reached by OAuth."""
    return "smtp" if provider is Provider.CUSTOM else "oauth"


def warmup(one: Warmup, metrics: Placement, now: int) -> WarmupObject:
    return WarmupObject(
        enabled=one.started_at > 0,
        status=one.status(now),
        currentDay=min(one.day(now), one.days),
        currentVolume=one.volume(now),
        metrics=Metrics(
            totalEmailsSent=metrics.sent,
            inboxRate=metrics.inbox_rate,
            spamRate=metrics.spam_rate,
            promotionsRate=0,
            replyRate=_percent(metrics.replied, metrics.sent),
            totalRepliesReceived=metrics.replied,
            blockRate=0,
            bounceRate=_percent(metrics.bounced, metrics.sent),
            deferralRate=0,
            openRate=_percent(metrics.opened, metrics.sent),
            lastCalculatedAt=moment(now),
        ),
        config=WarmupConfig(one.start, one.step, one.target),
        startedAt=moment(one.started_at) if one.started_at else None,
    )


def health(mailbox: Mailbox, found: DnsHealth, totals: Totals, metrics: Placement, now: int) -> Health:
    records = [MxRecord(record.exchange, record.priority) for record in found.mx.records]
    return Health(
        email=mailbox.address,
        status=mailbox.status,
        sendingEnabled=mailbox.sending_enabled,
        dns=DnsObject(
            mx=MxObject(found.mx.status, records),
            spf=_record(found.spf),
            dkim=DkimObject(found.dkim.status, found.dkim.selector or None, found.dkim.record or None),
            dmarc=_record(found.dmarc),
            healthScore=found.score,
        ),
        warmup=warmup(mailbox.warmup, metrics, now),
        deliverability=Deliverability(bounce_rate(totals), totals.sent, totals.received, 0),
        dailySendLimit=daily_limit(mailbox),
        sentToday=totals.sent_today,
        lastError=None,
    )


def warmup_stats(one: Placement) -> WarmupStats:
    return WarmupStats(
        one.sent, one.inbox, one.spam, 0, one.replied, one.opened, one.inbox_rate, one.spam_rate, one.health_score
    )


def is_warming(mailbox: Mailbox, now: int) -> bool:
    return mailbox.warmup.status(now) is WarmupStatus.IN_PROGRESS


def _record(one: RecordHealth) -> RecordObject:
    return RecordObject(one.status, one.record or None)


def _percent(part: int, whole: int) -> int:
    return (200 * part + whole) // (2 * whole) if whole else 0
