"""Warm-up over the SendKit API. Blocking."""

from __future__ import annotations

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.model import MailboxQuestion
from mailvane.mailboxes.performance import Window
from mailvane.mailboxes.sendkit import objects, parameters, shape
from mailvane.mailboxes.sendkit.mailboxes import warmed_up
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.warmup import Placement, placement
from mailvane.web.endpoints import Asked


def stats(services: MailboxServices, asked: Asked) -> shape.Answer[objects.WarmupOverview]:
    """Of those mailboxes whose warm-up was started."""
    part, days = parameters.rows(asked), parameters.days(asked)
    question = MailboxQuestion(
        workspace=asked.workspace, now=asked.now, warming=True, search=asked.query.get("search", "").strip(),
        after=part.cursor, skip=part.skip, limit=part.limit,
    )  # fmt: skip
    page = services.mailboxes.page(question)
    since = _since(asked.now, days)
    warmed = warmed_up(services, asked.workspace, page.mailboxes, since)
    every = [one for one in services.mailboxes.every(asked.workspace) if one.warmup.started_at]
    whole = _sum(list(warmed_up(services, asked.workspace, every, since).values()))
    rows = [
        objects.WarmedMailbox(
            one.id, one.address, shape.shown_name(one), objects.warmup(one.warmup, warmed[one.address], asked.now),
            objects.warmup_stats(warmed[one.address]),
        )
        for one in page.mailboxes
    ]  # fmt: skip
    warming = sum(objects.is_warming(one, asked.now) for one in every)
    summary = objects.WarmupSummary(
        whole.sent, whole.inbox, whole.spam, 0, whole.replied, whole.opened, whole.inbox_rate, whole.spam_rate,
        warming, days,
    )  # fmt: skip
    return shape.ok(objects.WarmupOverview(summary, rows))


def stats_of(services: MailboxServices, asked: Asked) -> shape.Answer[objects.WarmupOfMailbox]:
    days = parameters.days(asked)
    found = services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now)
    since = max(_since(asked.now, days), found.warmup.started_at)
    scope = services.mailboxes.scope(asked.workspace)
    rows = services.mailboxes.figures.daily(scope, Window(since), found.address) if found.warmup.started_at else []
    by_day = [(row.day, placement(row)) for row in rows]
    whole = _sum([one for _, one in by_day])
    return shape.ok(
        objects.WarmupOfMailbox(
            objects.Name(found.id, found.address, shape.shown_name(found)),
            objects.warmup(found.warmup, whole, asked.now),
            whole.sent,
            objects.PlacementBreakdown(whole.inbox, whole.spam, 0, 0, max(0, whole.sent - whole.inbox - whole.spam)),
            [
                objects.WarmupDay(shape.date(day), one.sent, one.inbox, one.spam, one.replied, one.opened)
                for day, one in by_day
            ],
            days,
        )
    )


def _since(now: int, days: int) -> int:
    """The start of the first of so many days, today the last of them."""
    return now - now % DAY_MS - (days - 1) * DAY_MS


def _sum(placements: list[Placement]) -> Placement:
    return Placement(*(sum(getattr(one, name) for one in placements) for name in Placement.__struct_fields__))
