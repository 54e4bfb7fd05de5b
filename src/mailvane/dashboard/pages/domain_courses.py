"""How the mail of each governed domain went from day to day, by the mail log: one question for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.log import question_of
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.parts.local_time import term, utc_day
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.maillog.queries import TimeTallyQuestion
from mailvane.outbound.model import Domain

DAYS = 30  # of UTC, the last of which is today


class Course(msgspec.Struct, frozen=True):
    """Of one domain."""

    domain: Domain
    total: int
    told: str
    picture: Markup
    link: str  # to the log of the same days


def courses(services: DashboardServices, visit: Visit) -> Reply:
    """A part of the list that is asked for after it: it reads the mail log, the others the ledger."""
    governed = services.outbound.governance.domains(visit.workspace.id)
    return Html("domain_courses.html", {"courses": courses_of(services, visit, governed)})


def courses_of(services: DashboardServices, visit: Visit, governed: Sequence[Domain]) -> list[Course]:
    first = (visit.now // DAY_MS - DAYS + 1) * DAY_MS
    counts: dict[str, list[int]] = {each.name: [0] * DAYS for each in governed}
    if counts:
        asked = question_of(services, visit, f"since:{term(first)}")
        for each in services.maillog.over_time(TimeTallyQuestion(asked, DAY_MS, tuple(sorted(counts)))):
            if (place := (each.since - first) // DAY_MS) < DAYS:
                counts[each.domain][place] += each.count
    return [_course(visit, each, counts[each.name], first) for each in governed]


def _course(visit: Visit, domain: Domain, counts: Sequence[int], first: int) -> Course:
    total, most = sum(counts), max(counts)
    told = f"no delivery of {domain.name} in {DAYS} days"
    if total:
        day = utc_day(first + counts.index(most) * DAY_MS)
        told = f"{total:,} deliveries of {domain.name} in {DAYS} days, at most {most:,} a day ({day}); "
        told += f"today {counts[-1]:,}, yesterday {counts[-2]:,}"
    at = link(visit, f"from:{domain.name} since:{term(first)}")
    return Course(domain, total, told, spark(counts, told, "press"), at)


PAGES = (Page("get", "/{workspace:int}/domains-courses", courses, of_domains=True),)
