"""What was refused at the door: the mail log's page for a query with `is:refused`. No delivery, and in no rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from markupsafe import Markup

from mailvane.dashboard.pages.csv_files import CSV_PART, CSV_ROWS, csv_file
from mailvane.dashboard.pages.live_pages import drawn
from mailvane.dashboard.pages.log_facets import TOP, Facet, Part, course, facet, span_of
from mailvane.dashboard.pages.log_links import paging, removable
from mailvane.dashboard.pages.log_places import refused_of, refused_text
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Reply, Visit
from mailvane.maillog import query_language
from mailvane.maillog.queries import RefusedMail, RefusedPage, RefusedPlace, RefusedQuestion
from mailvane.maillog.query_language import Token
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTimeQuestion

ROWS = 50
_USUAL = "since:7d"

_FACETS: tuple[tuple[str, str, Any], ...] = (
    ("Why", "why", "family"),
    ("Client", "origin", "origin"),
    ("Sending domain", "from", "sender_domain"),
    ("Receiving domain", "to", "recipient_domain"),
)


class RefusedRow(msgspec.Struct, frozen=True):
    """A refusal, and what names its row of the table."""

    one: RefusedMail
    id: str


def show(services: DashboardServices, visit: Visit, values: dict[str, Any]) -> Reply:
    """Raises InvalidInput."""
    query = visit.asked("q").strip()
    version = drawn(services, visit)
    asked = _question(services, visit, query)
    place = refused_of(visit.asked("at"))
    page, is_newest = _page(services, asked, place, is_later=visit.asked("way") == "later")
    rows, tokens = page.refused, query_language.tokens(query)
    first, last = (refused_text(rows[at].place) if rows else "" for at in (0, -1))
    older = bool(rows) and (page.total > len(rows) or (visit.asked("way") == "later" and not is_newest))
    count = page.total if is_newest else _total(services, asked)
    bounded = {"since", "until"} & {each.field for each in tokens}
    facets = [] if visit.asked("part") == "rows" or not count else list(_facets(services, visit, asked, tokens))
    values = values | {
        "is_refused": True,
        "total": count,
        "rows": [RefusedRow(one, _row_id(one)) for one in rows],
        **paging(visit, query, (first, last), is_newest=is_newest, has_older=older),
        "terms": removable(visit, tokens),
        "usual": "" if bounded else _USUAL,
        "facets": facets,
        "chart": _chart(services, visit, asked, tokens) if facets else "",
    }
    return Html("log.html", {**values, **version} if is_newest else values)


def _facets(
    services: DashboardServices, visit: Visit, asked: RefusedQuestion, tokens: Sequence[Token]
) -> Iterator[Facet]:
    for name, field, by in _FACETS:
        counts = services.maillog.refused_tally(RefusedTallyQuestion(asked, by, TOP))
        if (found := facet(visit, tokens, name, field, counts)).choices:
            yield found


def _chart(services: DashboardServices, visit: Visit, asked: RefusedQuestion, tokens: Sequence[Token]) -> Markup:
    """Permanent and transient refusals apart: what was told to come again later is no loss yet."""
    span = span_of(asked, visit.now)
    question = msgspec.structs.replace(asked, since=span.since)
    counts: dict[int, dict[bool, int]] = {}
    for each in services.maillog.refused_over_time(RefusedTimeQuestion(question, span.step)):
        counts.setdefault(each.since, {})[each.permanent] = each.count
    parts = {
        since: Part(
            {"refused": found.get(True, 0), "warn": found.get(False, 0)},
            f"{found.get(True, 0):,} refused for good, {found.get(False, 0):,} for now",
        )
        for since, found in counts.items()
    }
    return course(visit, tokens, span, parts)


def newer(services: DashboardServices, visit: Visit, query: str, at: str) -> int:
    """How many have come in front of this place."""
    asked = msgspec.structs.replace(_question(services, visit, query), after=refused_of(at), ascending=True, limit=0)
    return _total(services, asked)


def total(services: DashboardServices, visit: Visit, query: str) -> int:
    return _total(services, _question(services, visit, query))


def as_csv(services: DashboardServices, visit: Visit, query: str) -> Reply:
    rows = ((one.mail_id, *msgspec.structs.astuple(one)) for one in _all(services, _question(services, visit, query)))
    return csv_file("refused.csv", ("mail_id", *RefusedMail.__struct_fields__), rows)


def _all(services: DashboardServices, asked: RefusedQuestion) -> Iterator[RefusedMail]:
    place = None
    for _ in range(0, CSV_ROWS, CSV_PART):
        found = _asked(services, msgspec.structs.replace(asked, after=place, limit=CSV_PART)).refused
        yield from found
        if len(found) < CSV_PART:
            return
        place = found[-1].place


def _page(
    services: DashboardServices, asked: RefusedQuestion, place: RefusedPlace | None, *, is_later: bool
) -> tuple[RefusedPage, bool]:
    """Rows, the newest first, and whether they are the newest of all. None is short while there are more."""
    if place is not None and is_later:
        page = _asked(services, msgspec.structs.replace(asked, after=place, ascending=True, limit=ROWS))
        if page.total > ROWS:
            return RefusedPage(page.total, page.refused[::-1]), False
        place = None
    page = _asked(services, msgspec.structs.replace(asked, after=place, limit=ROWS))
    if place is not None and not page.refused:
        return _page(services, asked, None, is_later=False)
    return page, place is None


def _question(services: DashboardServices, visit: Visit, query: str) -> RefusedQuestion:
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    asked = query_language.refused_question(query, visit.workspace.id, relays, visit.now, visit.zone)
    return query_language.bounded(asked, query, visit.now)


def _asked(services: DashboardServices, asked: RefusedQuestion) -> RefusedPage:
    return services.maillog.refused(asked) if asked.relays else RefusedPage(0, [])


def _total(services: DashboardServices, asked: RefusedQuestion) -> int:
    return _asked(services, msgspec.structs.replace(asked, limit=0)).total


def _row_id(one: RefusedMail) -> str:
    return f"r{blake2b(refused_text(one.place).encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
