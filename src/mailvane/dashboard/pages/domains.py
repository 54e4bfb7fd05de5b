"""Sending domains: limits and what is used of them, who was stopped and why, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.errors import AlreadyExists, ChangedMeanwhile, InvalidInput
from mailvane.dashboard.pages.chain import word
from mailvane.dashboard.pages.csv_files import csv_file
from mailvane.dashboard.pages.domain_approach import approach_of
from mailvane.dashboard.pages.domain_counts import counts_of
from mailvane.dashboard.pages.domain_courses import DAYS, Course, courses_of
from mailvane.dashboard.pages.domain_probation import MOST_ON_PROBATION, may_be_on_probation, probation_of
from mailvane.dashboard.pages.domain_story import STORED, stop_of, stopped_by, story
from mailvane.dashboard.pages.log import question_of
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.pages.needs import Need
from mailvane.dashboard.pages.proofs import assets_of, proofs
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.gauge import gauge
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.mailboxes.rates import Interval, wilson
from mailvane.maillog.queries import TallyQuestion
from mailvane.outbound.domain_changes import Author
from mailvane.outbound.holds import HoldKind
from mailvane.outbound.model import Domain, Guillotine, OutboundStatus, Usage
from mailvane.outbound.postfix_queue import how_to_release
from mailvane.outbound.suppression import SuppressionReason

_ALL, _ONE = "/{workspace:int}/domains", "/{workspace:int}/domains/{name:str}"
_SENDERS, _SENDERS_SINCE = 12, "7d"
_COLUMNS = (
    *("domain", "state", "enforcement", "sent_today", "daily_limit", "sent_month", "monthly_limit", "sent", "bounces"),
    *("complaints", "bounce_rate", "bounce_rate_low", "bounce_rate_high", "spf", "dkim", "dmarc"),
)
_CHANGED = (
    "the domain was changed since this page was shown; nothing was done: look at it as it is now, and decide again"
)


class Meter(msgspec.Struct, frozen=True):
    """How much of a limit is used; a limit of 0 is none."""

    name: str
    used: int
    limit: int

    @property
    def state(self) -> str:
        if not self.limit:
            return "none"
        return "bad" if self.used >= self.limit else "warn" if self.used >= 0.8 * self.limit else "ok"

    @property
    def picture(self) -> Markup | str:
        return gauge(self.used, self.limit, self.state) if self.limit else ""


class Row(msgspec.Struct, frozen=True):
    domain: Domain
    usage: Usage
    meters: tuple[Meter, ...]
    low: float  # of the bounce rate, percent, with 95 % certainty; likewise high
    high: float
    picture: Markup  # of it, with the line of the guillotine

    @property
    def full(self) -> str:
        """Whose limit is used up: of its day, or of its month; empty: neither's."""
        return next((meter.name for meter in self.meters if meter.state == "bad"), "")


class Stranger(msgspec.Struct, frozen=True):
    """A domain that sends and is not governed."""

    name: str
    count: int
    link: str


class LineOf(msgspec.Struct, frozen=True):
    """Bounces or complaints against their line, percent."""

    name: str
    rate: float
    limit: float
    picture: Markup


def listed(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    whole = visit.reach is None  # what is not of a domain is told of the whole workspace
    rows, panels = _rows(services, visit), Panels(services, visit, _ALL)
    watched = assets_of(services, visit.workspace.id, [row.domain.name for row in rows])
    strangers: Sequence[Stranger] | None = None
    if whole and visit.asked("senders"):
        strangers = panels.ask("strangers", "Who else sends", lambda: _ungoverned(services, visit), [])
    values = {
        "section": "Domains",
        "rows": rows,
        "proofs": {row.domain.name: proofs(row.domain, watched.get(row.domain.name, ())) for row in rows},
        "stopped": sum(row.domain.stopped for row in rows),
        "full": sum(bool(row.full) and not row.domain.stopped for row in rows),
        "courses": _courses(services, visit, rows) if visit.asked("courses") else {},
        "log_of": {row.domain.name: link(visit, f"from:{row.domain.name} since:{DAYS}d") for row in rows},
        "held": _held(services),
        "suppressed": services.outbound.suppressions.summary(visit.workspace.id, visit.now) if whole else None,
        "reasons": list(SuppressionReason),
        "strangers": strangers,
        "may_govern": whole and visit.visitor.may(visit.workspace.id, Role.OPERATOR),
        "failure": failure,
        "asked_name": visit.entered("name") or visit.asked("govern"),
    }
    return Html("domains.html", values, 400) if failure else panels.html("domains.html", values)


def _courses(services: DashboardServices, visit: Visit, rows: Sequence[Row]) -> dict[str, Course]:
    return {each.domain.name: each for each in courses_of(services, visit, [row.domain for row in rows])}


def as_csv(services: DashboardServices, visit: Visit) -> Reply:
    """The list, with the figures behind its pictures; rates in percent."""
    rows = _rows(services, visit)
    watched = assets_of(services, visit.workspace.id, [row.domain.name for row in rows])
    told = (
        (
            row.domain.name, "stopped" if row.domain.stopped else f"{row.full} used up" if row.full else "active",
            row.domain.enforcement.value,
            *(value for meter in row.meters for value in (meter.used, meter.limit or "")),
            row.usage.figures.sent, row.usage.figures.bounces, row.usage.figures.complaints,
            row.usage.figures.bounce_rate, round(row.low, 2), round(row.high, 2),
            *(proof.mark for proof in proofs(row.domain, watched.get(row.domain.name, ()))),
        )
        for row in rows
    )  # fmt: skip
    return csv_file("domains.csv", _COLUMNS, told)


def ungoverned(services: DashboardServices, visit: Visit) -> Reply:
    """A part of the page that is asked for after it: it reads the mail log, the others the ledger."""
    may_govern = visit.visitor.may(visit.workspace.id, Role.OPERATOR)
    return Html("ungoverned.html", {"strangers": _ungoverned(services, visit), "may_govern": may_govern})


def _ungoverned(services: DashboardServices, visit: Visit) -> list[Stranger]:
    """Domains of a week's senders that nobody governs here, those with the most mail first."""
    governed = {domain.name for domain in services.outbound.governance.domains(visit.workspace.id)}
    asked = question_of(services, visit, f"since:{_SENDERS_SINCE}")
    found = services.maillog.tally(TallyQuestion(asked, "sender_domain", _SENDERS + len(governed)))
    return [
        Stranger(each.value, each.count, link(visit, f"from:{word(each.value)} since:{_SENDERS_SINCE}"))
        for each in found
        if each.value and each.value not in governed
    ][:_SENDERS]


def show(services: DashboardServices, visit: Visit, failure: str = "", status: int = 400) -> Reply:
    name, workspace = visit.path["name"], visit.workspace.id
    domain = services.outbound.governance.domain(name, workspace)
    usage = services.outbound.governance.usage_today(name, visit.now, workspace)
    guillotine = services.outbound.governance.rules.guillotine_of(domain)
    told = story(services.outbound.governance.audit(name, STORED, workspace))
    stop = stop_of(domain, told)
    panels = Panels(services, visit, _ONE)
    approach = visit.asked("approach") and panels.ask(
        "approach", "How it came to its line", lambda: approach_of(services, visit, domain), None
    )
    counts = visit.asked("counts") and panels.ask(
        "counts", "Where its month would end", lambda: counts_of(services, visit, domain, usage), None
    )
    values = {
        "section": "Domains",
        "row": _row(domain, usage, guillotine),
        "guillotine": guillotine,
        "lines": _lines(usage, guillotine),
        "told": told,
        "is_claim": not domain.approved,
        "stop": stop,
        "crossed": stopped_by(stop) if stop else None,
        "probation": probation_of(domain, usage, guillotine, visit.now),
        "approach": approach or None,
        "counts": counts or None,
        "shown": seen_of(domain, name in _held(services)),
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
        "failure": failure,
        "held": name in _held(services),
        "release": how_to_release(HoldKind.DOMAIN, domain.name),
    }
    return Html("domain.html", values, status) if failure else panels.html("domain.html", values)


def _lines(usage: Usage, guillotine: Guillotine) -> list[LineOf]:
    figures, found = usage.figures, []
    for name, count, limit in (
        ("Bounces", figures.bounces, guillotine.bounce_percent),
        ("Complaints", figures.complaints, guillotine.complaint_percent),
    ):
        whole = max(figures.sent, count)
        bound = wilson(count, whole) if whole else Interval(0, 1)
        rate = count / whole if whole else 0.0
        scale = max(2 * limit / 100, rate * 1.2, 0.05)
        title = f"{rate:.2%} of {whole:,}, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
        found.append(LineOf(name, 100 * rate, limit, interval(rate, bound.low, bound.high, scale, title, limit / 100)))
    return found


def seen_of(domain: Domain, held: bool) -> str:
    """What a person who decides has seen of it."""
    limits = domain.daily_limit, domain.monthly_limit, domain.hourly_fraction
    rule = () if domain.guillotine is None else msgspec.structs.astuple(domain.guillotine)
    return " ".join(map(str, (domain.status.value, domain.closed, *limits, held, *rule)))


def _is_changed(services: DashboardServices, visit: Visit, domain: Domain) -> bool:
    """Whether it is no longer as the page showed that the form stood on; a program need not say what it has seen."""
    seen = visit.entered("seen")
    return bool(seen) and seen != seen_of(domain, domain.name in _held(services))


def stop(services: DashboardServices, visit: Visit) -> Reply:
    changes: dict[str, object] = {"status": OutboundStatus.SUSPENDED}
    governance = services.outbound.governance
    domain = governance.domain(visit.path["name"], visit.workspace.id)
    return _changed(services, visit, governance.stopping(domain, changes))


def restore(services: DashboardServices, visit: Visit) -> Reply:
    """Bounces and complaints count anew from now on."""
    return _changed(services, visit, {"status": OutboundStatus.ACTIVE, "closed": False})


def probation(services: DashboardServices, visit: Visit) -> Reply:
    """So many mails a day pass while it is stopped; 0: none again."""
    text, name = visit.entered("daily"), visit.path["name"]
    if not (text.isascii() and text.isdecimal() and int(text[:5]) <= MOST_ON_PROBATION):
        return show(services, visit, f"a probation is of 0 to {MOST_ON_PROBATION} mails a day")
    daily, governance = int(text), services.outbound.governance
    if daily and not may_be_on_probation(governance.domain(name, visit.workspace.id)):
        return show(services, visit, "only a domain that is stopped, and not closed, can be on probation", 409)
    return _done(services, visit, lambda by: governance.probation(name, daily, by))


def hold(services: DashboardServices, visit: Visit) -> Reply:
    """Mail servers take its mail in and keep it."""
    domain = services.outbound.governance.domain(visit.path["name"], visit.workspace.id)
    if _is_changed(services, visit, domain):
        return show(services, visit, _CHANGED, 409)
    if not domain.approved:
        return show(services, visit, "the domain is only claimed: its mail is not this workspace's to hold")
    services.outbound.holds.hold(HoldKind.DOMAIN, domain.name, visit.visitor.user.name, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/domains/{domain.name}")


def release(services: DashboardServices, visit: Visit) -> Reply:
    """New mail passes again."""
    domain = services.outbound.governance.domain(visit.path["name"], visit.workspace.id)
    if _is_changed(services, visit, domain):
        return show(services, visit, _CHANGED, 409)
    if domain.approved:
        services.outbound.holds.release(HoldKind.DOMAIN, domain.name)
    return Redirect(f"/ui/{visit.workspace.id}/domains/{domain.name}")


def limit(services: DashboardServices, visit: Visit) -> Reply:
    try:
        changes: dict[str, object] = {
            field: int(visit.entered(field) or 0) for field in ("daily_limit", "monthly_limit")
        }
        if "hourly_fraction" in visit.form:
            changes["hourly_fraction"] = float(visit.entered("hourly_fraction") or 0)
    except ValueError:
        return show(services, visit, "a limit is a whole number, 0 for none")
    return _changed(services, visit, changes)


def govern(services: DashboardServices, visit: Visit) -> Reply:
    """A new domain of the workspace; a claim, unless whoever makes it speaks for the server."""
    name = visit.entered("name").strip()
    approved = visit.visitor.user.is_server or services.outbound.trust_new_domains
    try:
        domain = services.outbound.governance.create(
            name, visit.workspace.id, visit.now, actor=visit.visitor.user.name, approved=approved
        )
    except (InvalidInput, AlreadyExists) as error:
        return listed(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/domains/{domain.name}")


def _changed(services: DashboardServices, visit: Visit, changes: dict[str, object]) -> Reply:
    name, governance = visit.path["name"], services.outbound.governance
    return _done(services, visit, lambda by: governance.change_by(name, changes, by))


def _done(services: DashboardServices, visit: Visit, change: Callable[[Author], object]) -> Reply:
    name, seen, held = visit.path["name"], visit.entered("seen"), _held(services)

    def is_as_seen(domain: Domain) -> bool:
        return not seen or seen == seen_of(domain, domain.name in held)

    by = Author(visit.visitor.user.name, visit.now, visit.workspace.id, is_as_seen)
    try:
        change(by)
    except ChangedMeanwhile:
        return show(services, visit, _CHANGED, 409)
    except InvalidInput as error:
        return show(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/domains/{name}")


def needs(services: DashboardServices, visit: Visit) -> Iterator[Need]:
    """Domains that are stopped, and those whose day or month is used up."""
    for row in _rows(services, visit):
        domain, figures = row.domain, row.usage.figures
        path = f"domains/{domain.name}"
        if domain.stopped:
            why = f"{figures.bounces:,} of {figures.sent:,} mails bounced; with 95 % certainty at least {row.low:.1f} %"
            yield Need("bad", f"{domain.name} is stopped", why, path, "Evidence")
        for meter in row.meters:
            if meter.state == "bad" and not domain.stopped:
                text = f"{domain.name} has used its {meter.name}: {meter.used:,} of {meter.limit:,}"
                yield Need("warn", text, "", path, "Limits")


def is_held(services: DashboardServices, name: str) -> bool:
    """Whether mail servers take its mail in and keep it."""
    return name in _held(services)


def _held(services: DashboardServices) -> frozenset[str]:
    return frozenset(each.name for each in services.outbound.holds.all() if each.kind is HoldKind.DOMAIN)


def _rows(services: DashboardServices, visit: Visit) -> list[Row]:
    found = services.outbound.governance.domains(visit.workspace.id)
    usages = services.outbound.governance.usages_today(found, visit.now)
    rules = services.outbound.governance.rules
    rows = [_row(domain, usages.get(domain.id, Usage()), rules.guillotine_of(domain)) for domain in found]
    return sorted(rows, key=lambda row: (not row.domain.stopped, row.domain.name))


def _row(domain: Domain, usage: Usage, guillotine: Guillotine) -> Row:
    counted = max(usage.figures.sent, usage.figures.bounces)
    bound = wilson(usage.figures.bounces, counted) if counted else Interval(0, 1)
    meters = (
        Meter("day", usage.sent_today, domain.daily_limit),
        Meter("month", usage.sent_month, domain.monthly_limit),
    )
    picture = _lines(usage, guillotine)[0].picture
    return Row(domain, usage, meters, 100 * bound.low, 100 * bound.high, picture)


PAGES = (
    Page("get", _ALL, listed, of_domains=True),
    Page("get", "/{workspace:int}/domains.csv", as_csv, of_domains=True),
    Page("post", "/{workspace:int}/domains", govern, role=Role.OPERATOR),
    Page("get", "/{workspace:int}/domains-ungoverned", ungoverned),
    Page("get", _ONE, show, of_domains=True),
    Page("post", f"{_ONE}/stop", stop, role=Role.OPERATOR, of_domains=True),
    Page("post", f"{_ONE}/restore", restore, role=Role.OPERATOR, of_domains=True),
    Page("post", f"{_ONE}/probation", probation, role=Role.OPERATOR, of_domains=True),
    Page("post", f"{_ONE}/limits", limit, role=Role.OPERATOR, of_domains=True),
    Page("post", f"{_ONE}/hold", hold, role=Role.OPERATOR, of_domains=True),
    Page("post", f"{_ONE}/release", release, role=Role.OPERATOR, of_domains=True),
)
