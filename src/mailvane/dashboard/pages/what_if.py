"""What other limits would have done, by the engine that decides; and where a guillotine would fall."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.domains import is_held, seen_of
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.parts.local_time import term
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.rendering import day
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.outbound.admission.counters import day_start, month_start
from mailvane.outbound.admission.replay import Limits, Replay
from mailvane.outbound.admission.rules import Crossing, Line, crossing, room
from mailvane.outbound.logged_mail import logged_mail
from mailvane.outbound.model import Domain, Guillotine, MonthTally

_MOST_DAYS, _USUAL_DAYS = 100, 30
_MOST = 2**31 - 1
_LINES = (1.0, 2.0, 3.0, 5.0, 8.0, 10.0)  # percent of bounces that are compared


class Asked(msgspec.Struct, frozen=True):
    """The limits to try, as they stand in the form; empty: the domain's own."""

    daily: str
    monthly: str
    hourly: str
    days: str
    bounce: str
    volume: str
    confident: bool
    wrong: str = ""


class Tried(msgspec.Struct, frozen=True):
    """A line for bounces, and what would come of it by the month's figures."""

    rule: Guillotine
    crossed: Crossing | None
    more: int | None  # bounces that it would take
    is_asked: bool


def show(services: DashboardServices, visit: Visit) -> Reply:
    workspace, governance = visit.workspace.id, services.outbound.governance
    domain = governance.domain(visit.path["name"], workspace)
    usage = governance.usage_today(domain.name, visit.now, workspace)
    rule = governance.rules.guillotine_of(domain)
    asked = _asked(visit, rule)
    values = {
        "section": "Domains",
        "domain": domain,
        "asked": asked,
        "found": None,
        "chart": "",
        "usage": usage,
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
        "shown": seen_of(domain, is_held(services, domain.name)),
        "lines": list(_lines(usage.tally, rule, asked)),
    }
    if not asked.wrong:
        found = _replayed(services, visit, domain, asked)
        values |= {"found": found, "chart": _chart(visit, found, int(asked.days))}
    return Html("what_if.html", values, 400 if asked.wrong else 200)


def _asked(visit: Visit, rule: Guillotine) -> Asked:
    wrong = [
        f"{name}: expected {told}"
        for name, low, high, told in (
            ("daily", 0, _MOST, "a whole number, 0 for no limit"),
            ("monthly", 0, _MOST, "a whole number, 0 for no limit"),
            ("days", 1, _MOST_DAYS, f"a number from 1 to {_MOST_DAYS}"),
            ("volume", 0, _MOST, "a whole number"),
        )
        if (text := visit.asked(name).strip())
        and not (text.isascii() and text.isdecimal() and len(text) < 11 and low <= int(text) <= high)
    ]
    wrong += [
        f"{name}: expected a number from 0 to {high:g}"
        for name, high in (("hourly", 1.0), ("bounce", 100.0))
        if (text := visit.asked(name).strip()) and not _is_share(text, high)
    ]
    return Asked(
        daily=visit.asked("daily").strip(), monthly=visit.asked("monthly").strip(),
        hourly=visit.asked("hourly").strip(), days=visit.asked("days").strip() or str(_USUAL_DAYS),
        bounce=visit.asked("bounce").strip() or f"{rule.bounce_percent:g}",
        volume=visit.asked("volume").strip() or str(rule.minimum_volume),
        confident=bool(visit.asked("confident")) if "bounce" in visit.query else rule.confident,
        wrong="; ".join(wrong),
    )  # fmt: skip


def _is_share(text: str, high: float) -> bool:
    try:
        return 0 <= float(text) <= high
    except ValueError:
        return False


def _replayed(services: DashboardServices, visit: Visit, domain: Domain, asked: Asked) -> Replay:
    """As `mailvane quota what-if` does."""
    since = day_start(visit.now) - (int(asked.days) - 1) * DAY_MS
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    logged = logged_mail(services.maillog, domain, relays, month_start(since), visit.now)
    limits = Limits(
        daily=int(asked.daily) if asked.daily else None, monthly=int(asked.monthly) if asked.monthly else None,
        hourly_fraction=float(asked.hourly) if asked.hourly else None,
    )  # fmt: skip
    return services.outbound.governance.what_if(domain.name, since, visit.now + 1, limits, logged, visit.workspace.id)


def _chart(visit: Visit, found: Replay, days: int) -> Markup:
    by_day = {each.day: each for each in found.every_day}
    first = day_start(visit.now) - (days - 1) * DAY_MS
    drawn = []
    for start in range(first, visit.now + 1, DAY_MS):
        one = by_day.get(start)
        asked, stopped = (one.asked, one.stopped) if one else (0, 0)
        since, until = term(start), term(start + DAY_MS - 1000)
        link = f"/ui/{visit.workspace.id}/log?q=from:{found.domain}%20since:{since}%20until:{until}"
        title = f"{day(start)}: {asked:,} asked for, {stopped:,} would have been stopped"
        drawn.append(Bar(start, {"ok": asked - stopped, "bad": stopped}, link, title))
    return bars(drawn, lambda at: day(at)[:6], "Mail a day under these limits")


def _lines(tally: MonthTally, rule: Guillotine, asked: Asked) -> Iterator[Tried]:
    meant = rule if asked.wrong else _rule(rule, float(asked.bounce), asked)
    for percent in sorted({*_LINES, meant.bounce_percent}):
        if percent:
            tried = meant if percent == meant.bounce_percent else _rule(rule, percent, asked)
            more = room(tally, tried, Line.BOUNCES)
            yield Tried(tried, crossing(tally, tried), more, percent == meant.bounce_percent)


def _rule(rule: Guillotine, percent: float, asked: Asked) -> Guillotine:
    volume = rule.minimum_volume if asked.wrong else int(asked.volume)
    return msgspec.structs.replace(
        rule, bounce_percent=percent, complaint_percent=0, minimum_volume=volume, confident=asked.confident
    )


PAGES = (Page("get", "/{workspace:int}/domains/{name:str}/what-if", show, of_domains=True),)
