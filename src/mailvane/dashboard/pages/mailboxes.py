"""How the mail of mailboxes fares: rates with their intervals, opens by people apart from those by machines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.mailbox_days import Days, days_of, links
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.parts.local_time import term, utc_day
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.mailboxes.listing import Listed, ListingQuestion
from mailvane.mailboxes.model import Mailbox
from mailvane.mailboxes.performance import KINDS, Known, counted
from mailvane.mailboxes.rates import Rate, rate
from mailvane.maillog.model import EngagementCount
from mailvane.maillog.queries import EngagementCounts

_SHOWN: tuple[EngagementCount, ...] = ("delivered", "bounced", "opened", "clicked", "replied", "positive")
SORTS = ("address", "sent", *_SHOWN)
_ALL, _ONE = "/{workspace:int}/mailboxes", "/{workspace:int}/mailboxes/{mailbox:str}"
_ROWS = 20  # of some 66 elements each
_KINDS = {
    "delivered": "Delivered", "bounced": "Bounced", "opened": "Opened by people",
    "opened_raw": "Opened, machines along", "clicked": "Clicked by people", "clicked_raw": "Clicked, machines along",
    "replied": "Replied", "auto_replied": "Answered by a program", "positive": "Wanted replies",
    "unsubscribed": "Unsubscribed", "complained": "Complained",
}  # fmt: skip


class Figure(msgspec.Struct, frozen=True):
    """A rate as it is shown; `count` None: nobody counts it."""

    kind: str
    name: str
    count: int | None
    share: str
    picture: Markup
    told: str


class Row(msgspec.Struct, frozen=True):
    mailbox: Mailbox
    sent: int
    today: int
    allowed: int | None
    figures: Sequence[Figure]
    machines: int  # opens that no person made
    picture: Markup


def listed(services: DashboardServices, visit: Visit) -> Reply:
    days = days_of(visit)
    sort, number = visit.asked("sort", "sent"), visit.page_number()
    question = ListingQuestion(
        workspace=visit.workspace.id, window=days.window, counts=(*_SHOWN, "opened_raw"),
        sort=sort if sort in SORTS else "sent", skip=(number - 1) * _ROWS, limit=_ROWS,
    )  # fmt: skip
    panels = Panels(services, visit, _ALL)
    found = panels.ask(
        "listing", "How mailboxes fare", lambda: services.mailboxes.mailboxes.listing(question, visit.now), None
    )
    if found is None:
        return panels.html("mailboxes.html", {"section": "Mailboxes", "days": days, "with_days": links(visit)})
    values = {
        "section": "Mailboxes",
        "rows": [_row(one, found.known, days, visit.now) for one in found.listed],
        "total": found.total,
        "sent": found.sent,
        "heads": [(kind, _KINDS[kind]) for kind in _SHOWN],
        "sort": question.sort,
        "with_sort": {each: visit.with_query(sort=each) for each in SORTS},
        "days": days,
        "with_days": links(visit),
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < found.total else "",
    }
    return Html("mailboxes.html", values)


def show(services: DashboardServices, visit: Visit) -> Reply:
    workspace, mailboxes = visit.workspace.id, services.mailboxes.mailboxes
    days = days_of(visit)
    mailbox = mailboxes.mailbox(workspace, visit.path["mailbox"], visit.now)
    panels = Panels(services, visit, _ONE)

    def chart() -> Markup:
        daily = mailboxes.figures.daily(mailboxes.scope(workspace), days.window, mailbox.address)
        return _chart(visit, mailbox.address, daily, days)

    one = panels.ask(
        "figures", "What became of its mail", lambda: mailboxes.performance_of(mailbox, days.window, visit.now), None
    )
    values = {
        "section": "Mailboxes",
        "mailbox": mailbox,
        "totals": one.totals if one else None,
        "sent": one.counts.sent if one else 0,
        "figures": _figures(mailbox, one.known, one.counts, KINDS) if one else [],
        "allowed": mailbox.allowed_today(visit.now),
        "warming": mailbox.warmup.status(visit.now).value,
        "warmup": mailbox.warmup,
        "chart": panels.ask("chart", "How much it sent by day", chart, Markup("")),
        "days": days,
        "with_days": links(visit),
    }
    return panels.html("mailbox.html", values)


def _row(one: Listed, known: Known, days: Days, now: int) -> Row:
    today = now // DAY_MS * DAY_MS
    sent = [one.days.get(start, 0) for start in days.starts]
    return Row(
        mailbox=one.mailbox, sent=one.counts.sent, today=one.days.get(today, 0),
        allowed=one.mailbox.allowed_today(now) if days.last == today else None,
        figures=_figures(one.mailbox, known, one.counts, _SHOWN),
        machines=max(0, one.counts.opened_raw - one.counts.opened),
        picture=spark(sent, f"{sum(sent):,} mails {days.told}", "ok"),
    )  # fmt: skip


def _figures(mailbox: Mailbox, known: Known, counts: EngagementCounts, kinds: Sequence[str]) -> list[Figure]:
    found = counted(mailbox, known, counts)
    return [_figure(kind, rate(found[kind], counts.sent)) for kind in kinds]


def _figure(kind: str, one: Rate) -> Figure:
    if one.numerator is None:
        return Figure(kind, _KINDS[kind], None, "", Markup(""), "nobody counts it for this mailbox")
    if one.rate is None or one.interval is None:
        return Figure(kind, _KINDS[kind], one.numerator, "", Markup(""), "no mail in this time")
    told = (
        f"{one.numerator:,} of {one.denominator:,}, with 95 % certainty {one.interval.low:.1%} to "
        f"{one.interval.high:.1%}"
    )
    picture = interval(one.rate, one.interval.low, one.interval.high, 1.0, told)
    return Figure(kind, _KINDS[kind], one.numerator, f"{one.rate * 100:.1f} %", picture, told)


def _chart(visit: Visit, address: str, daily: Sequence[EngagementCounts], days: Days) -> Markup:
    counts = {each.day: each for each in daily}
    drawn = []
    for start in days.starts:
        one = counts.get(start, EngagementCounts())
        since, until = term(start), term(start + DAY_MS - 1000)
        link = f"/ui/{visit.workspace.id}/log?q=from:{address}%20since:{since}%20until:{until}"
        good = max(0, one.sent - one.bounced)
        title = f"{utc_day(start)}: {one.sent:,} sent, {one.bounced:,} bounced"
        drawn.append(Bar(start, {"ok": good, "bad": one.bounced}, link, title))
    return bars(drawn, utc_day, "Mails a day")


PAGES = (
    Page("get", _ALL, listed),
    Page("get", _ONE, show),
)
