"""Beside the rows of the mail log: counts by which the query is narrowed, and the course over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.pages.log_links import link, without
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.parts.local_time import local, term
from mailvane.dashboard.visits import Visit
from mailvane.maillog.queries import LogQuestion, RefusedQuestion, Tally
from mailvane.maillog.query_language import Token

TOP = 8  # values of a facet
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


class Choice(msgspec.Struct, frozen=True):
    """A value of a facet."""

    text: str
    count: int
    link: str
    state: str  # "on", "off" (excluded) or ""
    without: str = ""  # a link to all but these; empty: it makes no sense


class Facet(msgspec.Struct, frozen=True):
    name: str
    choices: Sequence[Choice]


class Span(msgspec.Struct, frozen=True):
    """What a chart shows: from `since` to `until`, a bar for each `step`; milliseconds."""

    since: int
    until: int
    step: int


class Part(msgspec.Struct, frozen=True):
    """What came in one stretch of time: counts by class, from the bottom, and the same in words."""

    counts: Mapping[str, int]
    told: str


def facet(visit: Visit, tokens: Sequence[Token], name: str, field: str, found: Sequence[Tally]) -> Facet:
    """Of the values of a field, the most first; what the query excludes stands behind, and a click takes it back."""
    chosen = [each for each in tokens if each.field == field]
    on = {_told(field, value) for each in chosen if not each.excludes for value in each.values}
    off = [value for each in chosen if each.excludes for value in each.values]
    rest = without(tokens, *(each for each in chosen if not each.excludes))
    choices = []
    for each in found:
        if each.value:
            is_on = _told(field, each.value) in on
            more = f"{rest} {Token(field, (each.value,), excludes=False).text}".strip()
            target = link(visit, without(tokens, *chosen) if is_on else more)
            but = f"{without(tokens)} {Token(field, (each.value,), excludes=True).text}".strip()
            state, excluding = ("on", "") if is_on else ("", link(visit, but))
            choices.append(Choice(_told(field, each.value), each.count, target, state, excluding))
    back = link(visit, without(tokens, *chosen))
    return Facet(name, [*choices, *(Choice(_told(field, value), 0, back, "off") for value in off)])


def _told(field: str, value: str) -> str:
    """A family of reasons may be written in three ways."""
    return value.lower().replace("_", " ").replace("-", " ") if field == "why" else value


def span_of(asked: LogQuestion | RefusedQuestion, now: int) -> Span:
    until = now if asked.until is None else min(asked.until, now)
    since = asked.since if asked.since is not None else until - 364 * DAY_MS
    return Span(since, until, next((step for step in _STEPS if (until - since) / step <= _BARS), _STEPS[-1]))


def course(visit: Visit, tokens: Sequence[Token], span: Span, parts: Mapping[int, Part]) -> Markup:
    """Bars that lead to their stretch of time; `parts` by the beginning of each."""
    rest = without(tokens, *(each for each in tokens if each.field in {"since", "until"}))
    step, drawn = span.step, []
    for start in range(span.since // step * step, span.until + 1, step):
        part = parts.get(start, Part({}, ""))
        target = link(visit, f"{rest} since:{term(start)} until:{term(start + step - 1)}".strip())
        drawn.append(Bar(start, part.counts, target, f"{local(start, visit.zone):%a %d %b %H:%M}: {part.told}"))
    form = "%H:%M" if step < 2 * HOUR_MS else "%a %d %b"
    return bars(
        drawn, lambda at: local(at, visit.zone).strftime(form), "Matching mails over time", brush=link(visit, rest)
    )
