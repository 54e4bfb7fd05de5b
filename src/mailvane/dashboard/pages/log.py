"""The mail log: rows, counts beside them, and their course over time; the query is the whole state of the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import MOST_PAGES, File, Html, Page, Reply, Visit
from mailvane.maillog import query_language
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import Delivery, LogQuestion, TallyQuestion, TimeTally, TimeTallyQuestion
from mailvane.maillog.query_language import Token

ROWS = 50
_CSV_ROWS = 100_000
_CSV_PART = 10_000
_USUAL = "since:7d"
_BARS = 84
_STEPS = (
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    28 * DAY_MS,
    364 * DAY_MS,
)
_TOP = 8

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
_FACETS = (
    ("State", "is", "status"),
    ("Why", "why", "family"),
    ("Sending domain", "from", "sender_domain"),
    ("Receiving domain", "to", "recipient_domain"),
)


class Choice(msgspec.Struct, frozen=True):
    """A value of a facet."""

    text: str
    count: int
    link: str
    state: str  # "on", "off" (excluded) or ""


class Facet(msgspec.Struct, frozen=True):
    name: str
    choices: Sequence[Choice]


class Removable(msgspec.Struct, frozen=True):
    """A term of the query, and the query without it."""

    text: str
    link: str


def show(services: DashboardServices, visit: Visit) -> Reply:
    query = visit.asked("q").strip()
    values: dict[str, object] = {"section": "Mail log", "query": query, "failure": "", "marks": MARKS}
    try:
        tokens = query_language.tokens(query)
        asked = _question(services, visit, query)
        number = visit.page_number()
        page = services.history.search(msgspec.structs.replace(asked, skip=(number - 1) * ROWS, limit=ROWS))
    except InvalidInput as error:
        return Html("log.html", {**values, "failure": error.message, "usual": _USUAL}, 400)
    last = min(-(-page.total // ROWS), MOST_PAGES)
    values |= {
        "total": page.total,
        "rows": page.deliveries,
        "first": (number - 1) * ROWS + 1,
        "earlier": _link(visit, query, number + 1) if number < last else "",
        "later": _link(visit, query, number - 1) if number > 1 else "",
        "terms": [Removable(each.text, _link(visit, _without(tokens, each))) for each in tokens],
        "facets": list(_facets(services, visit, asked, tokens)) if page.total else [],
        "chart": _chart(services, visit, asked, tokens) if page.total else "",
        "csv": _link(visit, query).replace("/log?", "/log.csv?", 1),
        "usual": "" if {"since", "until"} & {each.field for each in tokens} else _USUAL,
    }
    return Html("log.html", values)


def as_csv(services: DashboardServices, visit: Visit) -> Reply:
    asked = _question(services, visit, visit.asked("q").strip())
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("mail_id", *Delivery.__struct_fields__))
    for one in _all(services, asked):
        writer.writerow([_plain(value) for value in (one.mail_id, *msgspec.structs.astuple(one))])
    return File(out.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8", "mail-log.csv")


def _all(services: DashboardServices, asked: LogQuestion) -> Iterator[Delivery]:
    for skip in range(0, _CSV_ROWS, _CSV_PART):
        found = services.history.search(msgspec.structs.replace(asked, skip=skip, limit=_CSV_PART)).deliveries
        yield from found
        if len(found) < _CSV_PART:
            return


def _plain(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as a text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _question(services: DashboardServices, visit: Visit, query: str) -> LogQuestion:
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    asked = query_language.question(query, visit.workspace.id, relays, visit.now, services.zone)
    if asked.since is None and asked.until is None and not _names_one(query):
        asked = msgspec.structs.replace(asked, since=visit.now - 7 * DAY_MS)
    return asked


def _names_one(query: str) -> bool:
    """Whether a mail is asked for by an id: then it may be of any age."""
    return any(token.field in {"id", "queue", "msgid"} for token in query_language.tokens(query))


def _link(visit: Visit, query: str, page: int = 1) -> str:
    more = f"&page={page}" if page > 1 else ""
    return f"/ui/{visit.workspace.id}/log?q={quote(query)}{more}"


def _without(tokens: Sequence[Token], *left_out: Token) -> str:
    return " ".join(each.text for each in tokens if each not in left_out)


def _facets(services: DashboardServices, visit: Visit, asked: LogQuestion, tokens: Sequence[Token]) -> Iterator[Facet]:
    for name, field, by in _FACETS:
        found = services.maillog.tally(TallyQuestion(asked, by, _TOP))  # type: ignore[arg-type]
        chosen = [each for each in tokens if each.field == field]
        on = {value for each in chosen if not each.excludes for value in each.values}
        off = [value for each in chosen if each.excludes for value in each.values]
        choices = []
        for each in found:
            if not each.value:
                continue
            if each.value in on:
                link = _without(tokens, *chosen)
            else:
                link = f"{_without(tokens, *(one for one in chosen if not one.excludes))} {field}:{each.value}".strip()
            choices.append(
                Choice(each.value.replace("_", " "), each.count, _link(visit, link), "on" if each.value in on else "")
            )
        back = _link(visit, _without(tokens, *chosen))
        choices += [Choice(value.replace("_", " "), 0, back, "off") for value in off]
        if choices:
            yield Facet(name, choices)


def _chart(services: DashboardServices, visit: Visit, asked: LogQuestion, tokens: Sequence[Token]) -> Markup:
    until = visit.now if asked.until is None else min(asked.until, visit.now)
    since = asked.since if asked.since is not None else until - 364 * DAY_MS
    step = next((step for step in _STEPS if (until - since) / step <= _BARS), _STEPS[-1])
    question = msgspec.structs.replace(asked, since=since)
    counts: dict[int, list[TimeTally]] = {}
    for each in services.maillog.over_time(TimeTallyQuestion(question, step)):
        counts.setdefault(each.since, []).append(each)
    rest = _without(tokens, *(each for each in tokens if each.field in {"since", "until"}))
    found = [
        _bar(start, step, counts.get(start, ()), lambda span: _link(visit, f"{rest} {span}".strip()), services.zone)
        for start in range(since // step * step, until + 1, step)
    ]
    return bars(
        found,
        lambda at: _local(at, services.zone).strftime("%H:%M" if step < 2 * HOUR_MS else "%a %d %b"),
        "Matching mails over time",
    )


def _bar(start: int, step: int, counts: Sequence[TimeTally], link: Callable[[str], str], zone: tzinfo) -> Bar:
    parts = dict.fromkeys(("ok", "unknown", "plain", "warn", "bad"), 0)
    for each in counts:
        parts[_COLOURS[MARKS[each.status]]] += each.count
    first, last = (_local(at, zone).strftime("%Y-%m-%dT%H:%M:%S") for at in (start, start + step - 1))
    told = ", ".join(f"{each.count:,} {each.status.value}" for each in counts)
    return Bar(start, parts, link(f"since:{first} until:{last}"), f"{_local(start, zone):%a %d %b %H:%M}: {told}")


def _local(ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)


PAGES = (Page("get", "/{workspace:int}/log", show), Page("get", "/{workspace:int}/log.csv", as_csv))
