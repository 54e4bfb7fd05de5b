"""Mailboxes as Mailvane's own interface shows them: every rate with what it is worth, null for what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.health import DnsHealth
from mailvane.mailboxes.model import Mailbox, MailboxStatus, PausedFor, WarmupStatus
from mailvane.mailboxes.performance import KINDS, Known, Performance, Totals, counted
from mailvane.mailboxes.rates import Rate, rate
from mailvane.maillog.queries import EngagementCounts


class WarmupShape(msgspec.Struct, frozen=True):
    """Mails a day: from `start`, `step` more each day, to `target`."""

    status: WarmupStatus
    start: int
    step: int
    target: int
    day: int  # from 1; 0: not started
    volume: int  # of today
    started_at: int
    paused_at: int
    ends_at: int
    paused_for: PausedFor | None  # null: it is not paused


class MailboxShape(msgspec.Struct, frozen=True):
    """What a mailbox is; times in milliseconds."""

    id: str
    address: str
    display_name: str
    status: MailboxStatus
    sending_enabled: bool
    daily_limit: int | None  # null: none
    allowed_today: int | None  # the limit or the warm-up, whichever is less; null: as many as it likes
    hourly_limit: int | None  # null: none; likewise
    monthly_limit: int | None
    tags: tuple[str, ...]
    tracks_opens: bool | None
    warmup: WarmupShape
    noticed: bool  # it appeared by itself, and nobody changed it since
    created_at: int
    updated_at: int


class RatesShape(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the mails that were sent. `…_raw` counts machines along; the others only people."""

    delivered: Rate
    bounced: Rate
    opened: Rate
    opened_raw: Rate
    clicked: Rate
    clicked_raw: Rate
    replied: Rate
    auto_replied: Rate
    positive: Rate
    unsubscribed: Rate
    complained: Rate


class MailboxFigures(msgspec.Struct, frozen=True):
    """A mailbox with its counters of all time, and the rates of a window."""

    mailbox: MailboxShape
    totals: Totals
    sent: int
    rates: RatesShape


class MailboxList(msgspec.Struct, frozen=True):
    """A part of the mailboxes, and how many pass the filters in all."""

    total: int
    mailboxes: list[MailboxFigures]


class DayFigures(msgspec.Struct, frozen=True):
    """The mails that were accepted on one day, UTC."""

    day: str
    sent: int
    rates: RatesShape


class CampaignFigures(msgspec.Struct, frozen=True):
    """The mails of one campaign."""

    id: str
    name: str
    active: bool
    first_at: int
    last_at: int
    sent: int
    rates: RatesShape


class HealthShape(msgspec.Struct, frozen=True):
    """What DNS says of a mailbox's domain."""

    domain: str
    score: int
    dns: DnsHealth


def mailbox(one: Mailbox, now: int) -> MailboxShape:
    warmup = one.warmup
    return MailboxShape(
        one.id, one.address, one.display_name, one.status, one.sending_enabled, one.daily_limit, one.allowed_today(now),
        one.hourly_limit, one.monthly_limit, one.tags, one.tracks_opens,
        WarmupShape(
            warmup.status(now), warmup.start, warmup.step, warmup.target, warmup.day(now), warmup.volume(now),
            warmup.started_at, warmup.paused_at, warmup.ends_at, warmup.paused_for if warmup.paused_at else None,
        ),
        one.noticed, one.created_at, one.updated_at,
    )  # fmt: skip


def figures(one: Performance, now: int) -> MailboxFigures:
    return MailboxFigures(
        mailbox(one.mailbox, now), one.totals, one.counts.sent, rates(one.mailbox, one.known, one.counts)
    )


def rates(one: Mailbox, known: Known, counts: EngagementCounts) -> RatesShape:
    found = counted(one, known, counts)
    return RatesShape(**{kind: rate(found[kind], counts.sent) for kind in KINDS})


def day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // DAY_MS * DAY_MS // 1000, UTC):%Y-%m-%d}"
