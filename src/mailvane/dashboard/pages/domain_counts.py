"""Parts of a domain's page that ask the mail log: where its month would end, and how its counts of bounces differ."""

from __future__ import annotations

from datetime import UTC

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.log import question_of
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.parts.local_time import local, term
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import TallyQuestion
from mailvane.outbound.admission.counters import day_start, month_start
from mailvane.outbound.admission.forecast import FEWEST_WEEKS, MOST_WEEKS, Forecast, forecast
from mailvane.outbound.logged_mail import daily_mail
from mailvane.outbound.model import Counting, Domain, Usage


class Outlook(msgspec.Struct, frozen=True):
    """Where the month would end."""

    found: Forecast
    month: str
    beyond: str  # its limit, where the month may end beyond it; empty: it does not, or has none
    fewest: int = FEWEST_WEEKS


class Differing(msgspec.Struct, frozen=True):
    """Bounces of the same time, as the mail log has them and as they count against the domain."""

    since: int
    failed: int  # deliveries in the mail log; of them `given_up` were never answered for good
    given_up: int
    deliveries: int
    counted: int  # against the domain, likewise what it sent
    sent: int
    log: str  # link to those that failed
    of_recipients: bool  # the domain counts recipients rather than mails
    sources: tuple[str, ...]  # whose word counts
    is_anew: bool  # the count began when the domain was let send again, or when its month was frozen


class Counts(msgspec.Struct, frozen=True):
    outlook: Outlook | None  # None: it is stopped
    differing: Differing


def show(services: DashboardServices, visit: Visit) -> Reply:
    domain = services.outbound.governance.domain(visit.path["name"], visit.workspace.id)
    usage = services.outbound.governance.usage_today(domain.name, visit.now, visit.workspace.id)
    return Html("domain_counts.html", {"counts": counts_of(services, visit, domain, usage)})


def counts_of(services: DashboardServices, visit: Visit, domain: Domain, usage: Usage) -> Counts:
    outlook = None if domain.stopped else _outlook(services, visit, domain, usage)
    return Counts(outlook, _differing(services, visit, domain, usage))


def _outlook(services: DashboardServices, visit: Visit, domain: Domain, usage: Usage) -> Outlook:
    today = day_start(visit.now)
    span = today - MOST_WEEKS * 7 * DAY_MS, today
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    decided = services.outbound.governance.decided_days(domain, *span)
    found = forecast(daily_mail(services.maillog, domain, relays, decided, span), usage, visit.now)
    limit, beyond = domain.monthly_limit, ""
    if limit and found.high > limit:
        beyond = f"{'beyond' if found.low > limit else 'perhaps beyond'} its limit of {limit:,}"
    return Outlook(found, local(visit.now, UTC).strftime("%B"), beyond)


def _differing(services: DashboardServices, visit: Visit, domain: Domain, usage: Usage) -> Differing:
    begun = max(usage.baseline.at, usage.month_since)
    since = max(month_start(visit.now), begun)
    query = f"from:{domain.name} since:{term(since)}"
    asked = question_of(services, visit, query)
    states = {each.value: each.count for each in services.maillog.tally(TallyQuestion(asked, "status"))}
    bounced, given_up = (states.get(each.value, 0) for each in (DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED))
    return Differing(
        since=since, failed=bounced + given_up, given_up=given_up, deliveries=sum(states.values()),
        counted=usage.figures.bounces, sent=usage.figures.sent, log=link(visit, f"{query} is:bounced,expired"),
        of_recipients=domain.counting is Counting.RECIPIENTS, sources=services.outbound.bounce_sources,
        is_anew=begun > month_start(visit.now),
    )  # fmt: skip


PAGES = (Page("get", "/{workspace:int}/domains/{name:str}/counts", show, of_domains=True),)
