"""The mail log: rows, counts beside them, and their course over time; the query is the whole state of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b

import msgspec
from markupsafe import Markup

from mailvane.core.errors import InvalidInput
from mailvane.dashboard.pages import log_columns, log_links, refused_log
from mailvane.dashboard.pages.csv_files import CSV_PART, CSV_ROWS, csv_file
from mailvane.dashboard.pages.live_pages import drawn
from mailvane.dashboard.pages.log_facets import TOP, Facet, Part, course, facet, span_of
from mailvane.dashboard.pages.log_links import ShownView, link, newer_link, paging, removable, views
from mailvane.dashboard.pages.log_places import place_of, place_text
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.maillog import query_language
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import Delivery, LogQuestion, Place, TallyBy, TallyQuestion, TimeTally, TimeTallyQuestion
from mailvane.maillog.query_language import Token

_PATH = "/{workspace:int}/log"
ROWS = 50
# Of Postfix's queue ids, short and long, and our own; and those in several parts of Amazon SES and Exim.
_ID = re.compile(r"[0-9A-Za-z]{5,20}|[0-9A-Za-z]{6,20}(?:-[0-9A-Za-z]{1,20}){1,5}")
_MAIL_ID = re.compile(r"[0-9a-f]{18}")
_USUAL = "since:7d"
_COUNTED_VIEWS = 12
_FEW_COLUMNS, _FEWER_ROWS = 7, 35  # of more columns, so that a page stays as small

MARKS = {
    DeliveryStatus.DELIVERED: "ok",
    DeliveryStatus.BOUNCED: "bad",
    DeliveryStatus.EXPIRED: "bad",
    DeliveryStatus.DEFERRED: "warn",
    DeliveryStatus.HELD: "warn",
    DeliveryStatus.DISCARDED: "none",
    DeliveryStatus.QUEUED: "unknown",
}
_COLOURS = {"ok": "ok", "warn": "warn", "bad": "bad", "none": "plain", "unknown": "unknown"}
_FACETS: tuple[tuple[str, str, TallyBy], ...] = (
    ("State", "is", "status"),
    ("Why", "why", "family"),
    ("Sending domain", "from", "sender_domain"),
    ("Receiving domain", "to", "recipient_domain"),
)


class Row(msgspec.Struct, frozen=True):
    """A delivery, and what names its row of the table for as long as it is there."""

    one: Delivery
    id: str


class _Found(msgspec.Struct, frozen=True):
    """Rows of a page, the newest first."""

    rows: Sequence[Delivery]
    total: int  # of those that it was counted among
    has_newer: bool
    has_older: bool


def show(services: DashboardServices, visit: Visit) -> Reply:
    query = visit.asked("q").strip()
    version = drawn(services, visit)
    columns, shown_views = log_columns.chosen(visit), views(services, visit, query)
    values: dict[str, object] = {
        "section": "Mail log", "query": query, "failure": "", "marks": MARKS, "usual": "", "views": shown_views,
        "counts": _view_counts(services, visit, shown_views) if visit.asked("counts") else None,
        "columns": columns, "all_columns": log_columns.COLUMNS, "columns_text": ",".join(each.name for each in columns),
        "link": partial(link, visit),
        "may_share": visit.reach is None and visit.visitor.may(visit.workspace.id, Role.OPERATOR),
    }  # fmt: skip
    try:
        if query_language.asks_refused(query):
            return refused_log.show(services, visit, values)
        tokens = query_language.tokens(query)
        asked = question_of(services, visit, query)
        place = place_of(visit.asked("at"))
        most = ROWS if len(columns) <= _FEW_COLUMNS else _FEWER_ROWS
        found = _rows(services, asked, place, most, is_later=visit.asked("way") == "later")
    except InvalidInput as error:
        return Html("log.html", {**values, "failure": error.message, "is_refused": False}, 400)
    if not found.total and (meant := _named_by_id(services, visit, tokens)):
        return Redirect(link(visit, meant))
    panels = Panels(services, visit, _PATH)
    facets, chart = list[Facet](), Markup("")
    if found.total and visit.asked("part") != "rows":
        facets = panels.ask(
            "facets", "How many there are of each", lambda: list(_facets(services, visit, asked, tokens)), facets
        )
        chart = panels.ask("chart", "When they were accepted", lambda: _chart(services, visit, asked, tokens), chart)
    first, last = (place_text(found.rows[at].place) if found.rows else "" for at in (0, -1))
    values |= {
        "is_refused": False,
        "total": found.total if not found.has_newer else _counted(services, asked),
        "rows": [Row(one, _row_id(one)) for one in found.rows],
        **paging(visit, query, (first, last), is_newest=not found.has_newer, has_older=found.has_older),
        "terms": removable(visit, tokens),
        "facets": facets,
        "chart": chart,
        "usual": usual_of(tokens),
    }
    return panels.html("log.html", values if found.has_newer else {**values, **version})


def _named_by_id(services: DashboardServices, visit: Visit, tokens: Sequence[Token]) -> str:
    """The query that a word stands for that finds nothing as a text, and is the id of a mail; empty: it is none."""
    if len(tokens) != 1 or tokens[0].field or tokens[0].excludes or len(tokens[0].values) != 1:
        return ""
    word = tokens[0].values[0]
    if not _ID.fullmatch(word):
        return ""
    meant = f"id:{word}" if _MAIL_ID.fullmatch(word) else f"queue:{word}"
    asked = msgspec.structs.replace(question_of(services, visit, meant), limit=1)
    return meant if services.history.search(asked).total else ""


def _rows(services: DashboardServices, asked: LogQuestion, place: Place | None, rows: int, *, is_later: bool) -> _Found:
    """So many behind a place, or in front of it. A page is short only where there are no more rows on either side."""
    if place is not None and is_later:
        newer = msgspec.structs.replace(asked, after=place, ascending=True, limit=rows)
        page = services.history.search(newer)
        if page.total > rows:
            return _Found(page.deliveries[::-1], page.total, has_newer=True, has_older=True)
        place = None
    page = services.history.search(msgspec.structs.replace(asked, after=place, limit=rows))
    if place is not None and not page.deliveries:  # what was there has left the answer
        return _rows(services, asked, None, rows, is_later=False)
    more = page.total > len(page.deliveries)
    return _Found(page.deliveries, page.total, has_newer=place is not None, has_older=more)


def _counted(services: DashboardServices, asked: LogQuestion) -> int:
    return sum(each.count for each in services.maillog.tally(TallyQuestion(asked, "status", len(DeliveryStatus))))


def _row_id(one: Delivery) -> str:
    return f"r{blake2b(place_text(one.place).encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def newer(services: DashboardServices, visit: Visit) -> Reply:
    """How many rows have come in front of the page that somebody looks at: it does not move by itself."""
    query, at = visit.asked("q").strip(), visit.asked("at")
    if query_language.asks_refused(query):
        count = refused_log.newer(services, visit, query, at)
    else:
        asked = question_of(services, visit, query)
        after = msgspec.structs.replace(asked, after=place_of(at), ascending=True, limit=1)
        count = services.history.search(after).total
    values = {"newer": count, "newer_link": newer_link(visit, query, at), "show_link": link(visit, query)}
    return Html("newer.html", values)


def view_tabs(services: DashboardServices, visit: Visit) -> Reply:
    """The tabs of saved views, with how much mail each finds: asked for after the page."""
    query = visit.asked("q").strip()
    found = views(services, visit, query)
    values = {"query": query, "views": found, "counts": _view_counts(services, visit, found)}
    return Html("log_views.html", {**values, "link": partial(link, visit)})


def _view_counts(services: DashboardServices, visit: Visit, found: Sequence[ShownView]) -> dict[str, int]:
    """By id; a view is left out that nobody can read any more, and those behind the first few."""
    counts = {}
    for each in found[:_COUNTED_VIEWS]:
        try:
            if query_language.asks_refused(each.query):
                counts[each.id] = refused_log.total(services, visit, each.query)
            else:
                asked = msgspec.structs.replace(question_of(services, visit, each.query), limit=1)
                counts[each.id] = services.history.search(asked).total
        except InvalidInput:
            continue
    return counts


def as_csv(services: DashboardServices, visit: Visit) -> Reply:
    """All that is known of each delivery, or what the columns show that somebody chose."""
    query = visit.asked("q").strip()
    if query_language.asks_refused(query):
        return refused_log.as_csv(services, visit, query)
    asked, fields = question_of(services, visit, query), Delivery.__struct_fields__
    if "columns" in visit.query:
        fields = tuple(name for column in log_columns.chosen(visit) for name in column.fields)
    rows = ((one.mail_id, *(getattr(one, name) for name in fields)) for one in _all(services, asked))
    return csv_file("mail-log.csv", ("mail_id", *fields), rows)


def _all(services: DashboardServices, asked: LogQuestion) -> Iterator[Delivery]:
    """The newest of them, in parts: each begins behind the last row of the one before, whatever has come meanwhile."""
    place = None
    for _ in range(0, CSV_ROWS, CSV_PART):
        part = msgspec.structs.replace(asked, after=place, limit=CSV_PART)
        found = services.history.search(part).deliveries
        yield from found
        if len(found) < CSV_PART:
            return
        place = found[-1].place


def question_of(services: DashboardServices, visit: Visit, query: str) -> LogQuestion:
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    asked = query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)
    return query_language.bounded(asked, query, visit.now)


def usual_of(tokens: Sequence[Token]) -> str:
    """What is asked for beside the query."""
    return "" if {"since", "until"} & {each.field for each in tokens} else _USUAL


def _facets(services: DashboardServices, visit: Visit, asked: LogQuestion, tokens: Sequence[Token]) -> Iterator[Facet]:
    counts = services.maillog.tallies([TallyQuestion(asked, by, TOP) for _, _, by in _FACETS])
    for (name, field, _), counted in zip(_FACETS, counts, strict=True):
        if (found := facet(visit, tokens, name, field, counted)).choices:
            yield found


def _chart(services: DashboardServices, visit: Visit, asked: LogQuestion, tokens: Sequence[Token]) -> Markup:
    span = span_of(asked, visit.now)
    question = msgspec.structs.replace(asked, since=span.since)
    counts: dict[int, list[TimeTally]] = {}
    for each in services.maillog.over_time(TimeTallyQuestion(question, span.step)):
        counts.setdefault(each.since, []).append(each)
    parts = {since: _part(found) for since, found in counts.items()}
    return course(visit, tokens, span, parts)


def _part(found: Sequence[TimeTally]) -> Part:
    counts = dict.fromkeys(("ok", "unknown", "plain", "warn", "bad"), 0)
    for each in found:
        counts[_COLOURS[MARKS[each.status]]] += each.count
    return Part(counts, ", ".join(f"{each.count:,} {each.status.value}" for each in found))


PAGES = (
    Page("get", _PATH, show, of_domains=True),
    Page("get", "/{workspace:int}/log/newer", newer, of_domains=True),
    Page("get", "/{workspace:int}/log/views", view_tabs, of_domains=True),
    Page("get", "/{workspace:int}/log.csv", as_csv, of_domains=True),
    *log_links.PAGES,
)
