"""How mail fares: a sentence, what needs a person, the course of the hours, where and why it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages import alerts, domains, reputation
from mailvane.dashboard.pages.live_pages import drawn
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.pages.needs import Need, worst_first
from mailvane.dashboard.pages.overview_counts import counts_of, step_of
from mailvane.dashboard.pages.overview_range import RANGES, Range, range_of
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.bars import HIGH, Bar, Pin, bars
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.parts.local_time import local, term
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.rendering import span
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.inbound.model import MessageStatus
from mailvane.mailboxes.rates import wilson
from mailvane.maillog import query_language
from mailvane.maillog.figure_questions import WAITS_AT_MOST_MS
from mailvane.maillog.followed_logs import FollowedLogState, Standing
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes
from mailvane.maillog.queries import (
    HourlyCounts,
    LogQuestion,
    Tally,
)
from mailvane.reputation.model import SOURCES, Comes, Source
from mailvane.reputation.questions import EntryQuestion

_PATH = "/{workspace:int}"
_BARS = 168
_COURSE = 24  # bars beside a figure
_TOP = 8
_NOT_KNOWN = 6
_PINS = 30
# Of the time that alerts about waiting mail look at, too: without a bound all mail that there is would be read.
_WAITING = f"is:waiting since:{WAITS_AT_MOST_MS // DAY_MS}d"
_FAILED = "is:bounced,expired"


class Row(msgspec.Struct, frozen=True):
    """Where or why mail fails: a receiving domain, or a family of reasons."""

    name: str
    failed: int
    finished: int
    link: str
    picture: Markup


def show(services: DashboardServices, visit: Visit) -> Reply:
    if visit.asked("as") == "table":
        return _table(services, visit)
    version = drawn(services, visit)
    span = range_of(visit)
    logs = services.followed.of(visit.workspace.name) if services.followed else []
    needs, unknown = [*domains.needs(services, visit)], list[Need]()
    if visit.reach is None:  # the rest is of the whole workspace
        needs += [*alerts.needs(services, visit), *_silent(logs), *_held(services, visit)]
        unknown += [*reputation.not_known(services, visit), *_missing(logs)]
    values = {
        "section": "Overview",
        **version,
        "span": span,
        "ranges": RANGES,
        "needs": worst_first(needs),
        "unknown": unknown[:_NOT_KNOWN],
        "unknown_count": len(unknown),
        "logs": logs,
        "link": lambda query: link(visit, query),
        "as_table": visit.with_query(**{"as": "table"}),
        "may_ask": visit.reach is None and visit.visitor.may(visit.workspace.id, Role.OPERATOR),
        "ask_link": f"/ui/{visit.workspace.id}/ask-now{visit.with_query(asked='')}",
        "asked": visit.asked("asked"),
    }
    # What the ledger tells stands without the mail log, and what needs somebody first of all.
    panels = Panels(services, visit, _PATH)
    mail = panels.ask("mail", "How mail fares", lambda: _mail(services, visit, span), {})
    return panels.html("overview.html", values | mail)


def _mail(services: DashboardServices, visit: Visit, span: Range) -> dict[str, object]:
    """What the mail log tells. Raises StoreUnavailable."""
    counts = counts_of(services, visit, _asked(services, visit, ""), span)
    waiting, oldest = services.history.total_and_first(_asked(services, visit, _WAITING))
    outcomes = services.maillog.outcomes(OutcomeQuestion(_asked(services, visit, span.terms), _TOP))
    delivered, bounced = counts.sum_of("delivered"), counts.sum_of("bounced")
    return {
        "accepted": counts.sum_of("accepted"),
        "accepts": counts.accepts,
        "before": counts.before,
        "delivered": delivered,
        "bounced": bounced,
        "refused": counts.sum_of("rejected"),
        "courses": _courses(counts.slices, span),
        "finished": delivered + bounced,
        "share": _share(delivered, delivered + bounced),
        "waiting": waiting,
        "waiting_query": _WAITING,
        "oldest": 0 if oldest is None else visit.now - oldest,
        "chart": _chart(services, visit, counts.slices, span),
        "where": list(_where(visit, outcomes, span)),
        "why": list(_why(visit, outcomes, span, delivered + bounced)),
        "delays": outcomes.delays,
        "whole": outcomes.whole,
    }


def _table(services: DashboardServices, visit: Visit) -> Reply:
    """The bars of the chart as rows. Raises StoreUnavailable."""
    span = range_of(visit)
    counts = counts_of(services, visit, _asked(services, visit, ""), span)
    values = {
        "section": "Overview",
        "span": span,
        "ranges": {name: name.replace("d", " days").replace("h", " h") for name in RANGES},
        "step": step_of(span, _BARS),
        "rows": [each for each in reversed(_stretches(visit, counts.slices, span)) if any(each.parts.values())],
        "as_chart": f"/ui/{visit.workspace.id}{visit.with_query(**{'as': ''})}",
    }
    return Html("overview_table.html", values)


def ask(services: DashboardServices, visit: Visit) -> Reply:
    """Ask a source now about all that it is asked about; blocklists are proven first, each of them."""
    source = next((each for each in Source if each == visit.entered("source")), None)
    if source is None or SOURCES[source].comes is not Comes.ASKED:
        raise InvalidInput("there is no such source that can be asked")
    services.reputation.watched_assets.ask_now(visit.workspace.id, source)
    services.reputation.wake(source)
    return Redirect(f"/ui/{visit.workspace.id}{visit.with_query(asked=source)}#unknown")


def _asked(services: DashboardServices, visit: Visit, query: str) -> LogQuestion:
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    return query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)


def _share(part: int, whole: int) -> str:
    """Percent, cut and not rounded: less than all is never 100."""
    return f"{part * 1000 // whole / 10:g}" if whole else "0"


def _where(visit: Visit, found: Outcomes, span: Range) -> Iterator[Row]:
    failed = [Tally(each.value, each.failed) for each in found.domains if each.value]
    wholes = {each.value: each.finished for each in found.domains}
    return _rows(visit, failed, wholes, lambda value: f"{_FAILED} to:{value} {span.terms}")


def _why(visit: Visit, found: Outcomes, span: Range, finished: int) -> Iterator[Row]:
    """By family, of all deliveries that ended."""
    failed = [each for each in found.families if each.value]
    wholes = {each.value: max(finished, each.count) for each in failed}
    return _rows(visit, failed, wholes, lambda value: f"{_FAILED} why:{value} {span.terms}")


def _rows(
    visit: Visit, failed: Sequence[Tally], wholes: Mapping[str, int], query: Callable[[str], str]
) -> Iterator[Row]:
    bounds = [wilson(each.count, wholes[each.value]) for each in failed]
    scale = max((bound.high for bound in bounds), default=1.0)
    for each, bound in zip(failed, bounds, strict=True):
        whole = wholes[each.value]
        rate = each.count / whole
        title = f"{rate:.1%} of {whole:,}, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
        picture = interval(rate, bound.low, bound.high, scale, title)
        yield Row(each.value, each.count, whole, link(visit, query(each.value)), picture)


def _silent(logs: Sequence[FollowedLogState]) -> Iterator[Need]:
    """Followed logs that are not read: what happened since is not known here."""
    for log in logs:
        if log.standing not in {Standing.FOLLOWING, Standing.NO_FILE}:
            mark = "warn" if log.standing is Standing.BEHIND else "bad"
            ago = f"its end was reached {span(log.behind_ms)} ago"
            yield Need(
                mark, f"{log.log} is {log.standing.value}", f"{ago}: {log.error}" if log.error else ago, "#logs", "Logs"
            )


def _missing(logs: Sequence[FollowedLogState]) -> Iterator[Need]:
    for log in logs:
        if log.standing is Standing.NO_FILE:
            yield Need("unknown", f"{log.log} is not there", "it is waited for", "#logs", "Logs")


def _held(services: DashboardServices, visit: Visit) -> Iterator[Need]:
    count = services.inbound.stores.pages.counts(visit.workspace.id)[MessageStatus.QUARANTINED]
    if count:
        verb = "waits" if count == 1 else "wait"
        yield Need(
            "warn",
            f"{count:,} held mail{'' if count == 1 else 's'} {verb} for a decision",
            "",
            "inbound/quarantine",
            "Decide",
        )


class Stretch(msgspec.Struct, frozen=True):
    """What happened in a stretch of time that is a bar of the chart."""

    since: int
    at: str  # the same in the person's zone
    parts: Mapping[str, int]  # deliveries by colour
    told: str
    link: str


def _stretches(visit: Visit, slices: Sequence[HourlyCounts], span: Range) -> list[Stretch]:
    step = step_of(span, _BARS)
    found: dict[int, list[HourlyCounts]] = {}
    for each in slices:
        found.setdefault(each.hour // step * step, []).append(each)
    made = []
    for start in range(span.since // step * step, span.until + 1, step):
        counts = {
            name: sum(getattr(each, name) for each in found.get(start, ()))
            for name in ("delivered", "deferred", "bounced")
        }
        target = link(visit, f"since:{term(start)} until:{term(start + step - 1)}")
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        parts = dict(zip(("ok", "warn", "bad"), counts.values(), strict=True))
        made.append(Stretch(start, f"{local(start, visit.zone):%a %d %b %H:%M}", parts, told, target))
    return made


def _chart(services: DashboardServices, visit: Visit, slices: Sequence[HourlyCounts], span: Range) -> Markup:
    made = [Bar(each.since, each.parts, each.link, f"{each.at}: {each.told}")
            for each in _stretches(visit, slices, span)]  # fmt: skip
    days = (span.until - span.since) / DAY_MS
    form = "%H:%M" if days <= 2 else "%a %H:%M" if days <= 5 else "%a %d %b"
    return bars(
        made, lambda at: local(at, visit.zone).strftime(form), "Deliveries over time", HIGH,
        list(_pins(services, visit, span)), link(visit, ""),
    )  # fmt: skip


def _courses(slices: Sequence[HourlyCounts], span: Range) -> dict[str, Markup]:
    """How each figure came about, in a few bars."""
    step = -(-(span.until - span.since) // _COURSE // span.grain) * span.grain
    first, made = span.since // span.grain * span.grain, {}
    for name, kind in (("accepted", "press"), ("delivered", "ok"), ("bounced", "bad"), ("rejected", "refused")):
        counts = [0] * ((span.until - first) // step + 1)
        for each in slices:
            counts[min(max(each.hour - first, 0) // step, len(counts) - 1)] += getattr(each, name)
        made[name] = spark(counts, f"{name}, from the oldest to the newest", kind)
    return made


def _pins(services: DashboardServices, visit: Visit, span: Range) -> Iterator[Pin]:
    """Alerts that fired in this time; none for who is bound to domains."""
    if visit.reach is not None:
        return
    question = EntryQuestion(workspace=visit.workspace.id, since=span.since, until=span.until + 1, limit=_PINS)
    for entry in services.reputation.alerting.entries(question).entries:
        at = local(entry.at, visit.zone).strftime("%a %d %b %H:%M")
        link_ = f"/ui/{visit.workspace.id}/alerts/fired/{entry.id}"
        yield Pin(entry.at, link_, f"{at}: {entry.name or 'an alert'} fired")


PAGES = (
    Page("get", _PATH, show, of_domains=True),
    Page("post", f"{_PATH}/ask-now", ask, role=Role.OPERATOR),
)
