"""Parts of a domain's page: its bounces with their mail, authentication as DNS says, all that was done to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.domain_story import story
from mailvane.dashboard.pages.log import MARKS as STATE_MARKS
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.pages.proofs import all_proofs
from mailvane.dashboard.pages.reputation import MARKS, path_of
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.parts.local_time import term, utc_day
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.maillog import query_language
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import LogQuestion, TallyQuestion, TimeTallyQuestion
from mailvane.outbound.model import Domain
from mailvane.reputation.board import Place
from mailvane.reputation.model import SOURCES

_DAYS = 30
_ROWS = 25
_REASONS = 8
_AUDIT = 200
_FAILED = frozenset({DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED})
_ONE = "/{workspace:int}/domains/{name:str}"
_BOUNCES = f"{_ONE}/bounces"


def bounces(services: DashboardServices, visit: Visit) -> Reply:
    domain = _domain(services, visit)
    failed = f"from:{domain.name} is:bounced,expired since:{_DAYS}d"
    asked = _question(services, visit, failed)
    panels = Panels(services, visit, _BOUNCES)
    newest = msgspec.structs.replace(asked, limit=_ROWS)
    page = panels.ask("rows", "What bounced", lambda: services.history.search(newest), None)
    families = TallyQuestion(asked, "family", _REASONS)
    reasons = panels.ask("reasons", "Why it bounced", lambda: services.maillog.tally(families), [])
    values = {
        **_values(visit, domain, "Bounces"),
        "usage": services.outbound.governance.usage_today(domain.name, visit.now, visit.workspace.id),
        "rows": page.deliveries if page else (),
        "total": page.total if page else None,
        "marks": STATE_MARKS,
        "all": link(visit, failed),
        "reasons": [(each, link(visit, f"{failed} why:{each.value}")) for each in reasons if each.value],
        "chart": panels.ask("chart", "Its mail by day", lambda: _chart(services, visit, domain), Markup("")),
        "days": _DAYS,
    }
    return panels.html("domain_bounces.html", values)


def authentication(services: DashboardServices, visit: Visit) -> Reply:
    domain = _domain(services, visit)
    row = services.reputation.board.row(visit.workspace.id, Place.DOMAIN, domain.name, visit.now)
    values = {
        **_values(visit, domain, "Authentication"),
        "said": list(all_proofs(domain, row.assets if row else ())),
        "sources": [] if row is None else [
            (SOURCES[source].title, MARKS[cell.state], cell.reason)
            for source, cell in row.sources.items() if MARKS[cell.state] != "none"
        ],
        "asset": path_of(row) if row else "",
    }  # fmt: skip
    return Html("domain_auth.html", values)


def reputation(services: DashboardServices, visit: Visit) -> Reply:
    """Where it is watched, the page that tells; else what is known of its proofs, which says that it is not."""
    domain, workspace = _domain(services, visit), visit.workspace.id
    row = services.reputation.board.row(workspace, Place.DOMAIN, domain.name, visit.now)
    return Redirect(f"/ui/{workspace}/{path_of(row) if row else f'domains/{domain.name}/auth'}")


def history(services: DashboardServices, visit: Visit) -> Reply:
    domain = _domain(services, visit)
    told = story(services.outbound.governance.audit(domain.name, _AUDIT, visit.workspace.id))
    return Html("domain_history.html", {**_values(visit, domain, "History"), "told": told, "most": _AUDIT})


def _domain(services: DashboardServices, visit: Visit) -> Domain:
    return services.outbound.governance.domain(visit.path["name"], visit.workspace.id)


def _values(visit: Visit, domain: Domain, tab: str) -> dict[str, object]:
    return {"section": "Domains", "domain": domain, "tab": tab, "now": visit.now}


def _question(services: DashboardServices, visit: Visit, query: str) -> LogQuestion:
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    return query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)


def _chart(services: DashboardServices, visit: Visit, domain: Domain) -> Markup:
    """By the day of UTC in which mail was accepted."""
    asked = _question(services, visit, f"from:{domain.name} since:{_DAYS}d")
    counts: dict[int, tuple[int, int]] = {}
    for each in services.maillog.over_time(TimeTallyQuestion(asked, DAY_MS)):
        good, bad = counts.get(each.since, (0, 0))
        is_bad = each.status in _FAILED
        is_good = each.status is DeliveryStatus.DELIVERED
        counts[each.since] = (good + each.count * is_good, bad + each.count * is_bad)
    first = (visit.now - _DAYS * DAY_MS) // DAY_MS * DAY_MS
    drawn = [_bar(visit, domain, start, *counts.get(start, (0, 0))) for start in range(first, visit.now + 1, DAY_MS)]
    title = "Mails a day, and how many bounced"
    return bars(drawn, utc_day, title, brush=link(visit, f"from:{domain.name}"))


def _bar(visit: Visit, domain: Domain, start: int, *counts: int) -> Bar:
    good, bad = counts
    since, until = term(start), term(start + DAY_MS - 1000)
    rate = f": {100 * bad / (good + bad):.1f} %" if good + bad else ""
    title = f"{utc_day(start)}: {bad:,} of {good + bad:,} bounced{rate}"
    return Bar(start, {"ok": good, "bad": bad}, link(visit, f"from:{domain.name} since:{since} until:{until}"), title)


PAGES: Sequence[Page] = (
    Page("get", _BOUNCES, bounces, of_domains=True),
    Page("get", f"{_ONE}/auth", authentication, of_domains=True),
    Page("get", f"{_ONE}/reputation", reputation, of_domains=True),
    Page("get", f"{_ONE}/history", history, of_domains=True),
)
