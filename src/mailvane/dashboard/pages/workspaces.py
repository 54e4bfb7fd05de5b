"""Which workspaces a person may look at, each with the figures of a day or a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.errors import AlreadyExists, InvalidInput, NotAllowed
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.tenants.model import Workspace
from mailvane.dashboard.bound_services import bound_services
from mailvane.dashboard.pages.overview_counts import by_deliveries
from mailvane.dashboard.pages.overview_range import Range
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.mailboxes.rates import wilson
from mailvane.maillog.followed_logs import FollowedLogState, Standing
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion, LogQuestion
from mailvane.outbound.model import Domain, Usage
from mailvane.reputation.alerts.model import EntryState
from mailvane.reputation.model import AssetKind

_PATH = "/workspaces"
_ROWS = 25  # each asks the mail log
_SCALE = 0.1  # ours: a tenth of all mail; pictures of rates below it can be compared
_MOST_ASSETS = 500  # of a workspace whose board is made for its row; of more, the number is told
_BARS = 28  # of a course
_RANGES = {"24h": (DAY_MS, "24 hours"), "7d": (7 * DAY_MS, "7 days")}
_WATCHED = (AssetKind.IP, AssetKind.DOMAIN, AssetKind.GP_DOMAIN)
_READ = frozenset({Standing.FOLLOWING, Standing.BEHIND})


class Mail(msgspec.Struct, frozen=True):
    """What became of a workspace's mail."""

    accepted: int
    course: Markup  # of it, over the time
    share: str  # of what ended, percent that was delivered; empty: nothing has ended
    bounced: int
    rate: Markup | str  # of what bounced, with its interval; empty likewise


class Watched(msgspec.Struct, frozen=True):
    """What is said of a workspace's addresses and domains."""

    total: int
    counts: Mapping[str, int]  # by state; empty: there are too many to look at here

    @property
    def state(self) -> str:
        return next((mark for state, mark in _MARKS if self.counts.get(state)), "none")


_MARKS = (("bad", "bad"), ("look", "warn"), ("unknown", "unknown"), ("good", "ok"))


class Row(msgspec.Struct, frozen=True):
    """A workspace. None: the person may not know; of `mail`, that the mail log did not answer."""

    workspace: Workspace
    relays: int
    mail: Mail | None
    stopped: int  # domains
    full: int  # whose day or month is used up
    domains: int
    watched: Watched | None
    open_alerts: int | None
    logs: Sequence[FollowedLogState]
    is_whole: bool  # else it is of the domains alone that the person is bound to

    @property
    def is_silent(self) -> bool:
        """A log of it is not read: what happened since is not known."""
        return any(log.standing not in _READ for log in self.logs)

    @property
    def needs_somebody(self) -> bool:
        bad = self.watched is not None and bool(self.watched.counts.get("bad"))
        return bool(self.stopped or self.open_alerts or bad)


def start(services: DashboardServices, visit: Visit) -> Reply:
    """The only workspace at once, otherwise the choice."""
    found = services.people.workspaces(visit.visitor)
    return Redirect(f"/ui/{found[0].id}" if len(found) == 1 else "/ui/workspaces")


def choose(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    found, number = services.people.workspaces(visit.visitor), visit.page_number()
    panels = Panels(services, visit, _PATH)
    chosen = visit.asked("range") if visit.asked("range") in _RANGES else "24h"
    since = visit.now - _RANGES[chosen][0]
    rows = [_row(services, visit, panels, each, since) for each in found[(number - 1) * _ROWS : number * _ROWS]]
    values = {
        "rows": rows,
        "total": len(found),
        "relays": sum(row.relays for row in rows),
        "needing": sum(row.needs_somebody for row in rows),
        "silent": sum(row.is_silent for row in rows),
        "chosen": chosen,
        "ranges": {name: told for name, (_, told) in _RANGES.items()},
        "may_make": visit.visitor.user.is_server,
        "failure": failure,
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < len(found) else "",
    }
    return Html("workspaces.html", values, 400) if failure else panels.html("workspaces.html", values)


def make(services: DashboardServices, visit: Visit) -> Reply:
    """A new one, which has no relay yet."""
    if not visit.visitor.user.is_server:
        raise NotAllowed("only those who run this server may make workspaces")
    try:
        made = services.tenancy.create_workspace(visit.entered("name"), visit.now)
    except (InvalidInput, AlreadyExists) as error:
        return choose(services, visit, error.message)
    return Redirect(f"/ui/{made.id}/settings/relays")


def _row(services: DashboardServices, visit: Visit, panels: Panels, workspace: Workspace, since: int) -> Row:
    """From questions about this workspace only, and of it what the person may see."""
    reach = visit.visitor.reach_in(workspace.id)
    seen = services if reach is None else bound_services(services, reach)
    governance = seen.outbound.governance
    domains = governance.domains(workspace.id)
    usages = governance.usages_today(domains, visit.now)
    is_whole = reach is None
    mail = None
    if "mail" not in panels.unanswered:  # where it does not answer, nobody waits for it again and again

        def counted() -> Mail:
            return _mail(seen, visit.now, workspace.id, since, is_whole=is_whole)

        mail = panels.ask("mail", "How its mail fares", counted, None)
    return Row(
        workspace=workspace, relays=len(seen.tenancy.relays(workspace.id)), mail=mail,
        stopped=sum(domain.stopped for domain in domains), domains=len(domains),
        full=sum(not domain.stopped and _is_full(domain, usages.get(domain.id)) for domain in domains),
        watched=_watched(services, visit, workspace.id) if is_whole else None,
        open_alerts=_open_alerts(services, workspace.id) if is_whole else None,
        logs=services.followed.of(workspace.name) if services.followed and is_whole else (),
        is_whole=is_whole,
    )  # fmt: skip


def _is_full(domain: Domain, usage: Usage | None) -> bool:
    used = ((usage.sent_today, domain.daily_limit), (usage.sent_month, domain.monthly_limit)) if usage else ()
    return any(most and sent >= most for sent, most in used)


def _watched(services: DashboardServices, visit: Visit, workspace: int) -> Watched:
    total = sum(services.reputation.watched_assets.count(workspace, kind) for kind in _WATCHED)
    if not 0 < total <= _MOST_ASSETS:
        return Watched(total, {})
    counts = services.reputation.board.board(workspace, visit.now).counts
    return Watched(total, {state.value: count for state, count in counts.items()})


def _mail(services: DashboardServices, now: int, workspace: int, since: int, *, is_whole: bool) -> Mail:
    """Raises StoreUnavailable."""
    hours = (_hours if is_whole else _deliveries)(services, now, workspace, since)
    accepted, delivered, bounced = (
        sum(getattr(hour, name) for hour in hours) for name in ("accepted", "delivered", "bounced")
    )
    finished = delivered + bounced
    line = services.outbound.governance.rules.guillotine.bounce_percent / 100
    share = f"{delivered * 1000 // finished / 10:g} %" if finished else ""
    return Mail(accepted, _course(hours, since, now), share, bounced, _rate(bounced, finished, line))


def _hours(services: DashboardServices, now: int, workspace: int, since: int) -> list[HourlyCounts]:
    relays = tuple(relay.id for relay in services.tenancy.relays(workspace))
    question = HourlyQuestion(workspace=workspace, relays=relays, since=since, until=now)
    return services.maillog.hourly(question) if relays else []


def _deliveries(services: DashboardServices, now: int, workspace: int, since: int) -> list[HourlyCounts]:
    """Of the domains that the person is bound to."""
    relays = tuple(relay.id for relay in services.tenancy.relays(workspace))
    asked = LogQuestion(workspace=workspace, relays=relays)
    return by_deliveries(services, asked, Range("", since, now, "", ""))


def _open_alerts(services: DashboardServices, workspace: int) -> int:
    return services.reputation.alerting.entry_states(workspace).get(EntryState.OPEN, 0)


def _course(hours: Sequence[HourlyCounts], since: int, now: int) -> Markup:
    first = since // HOUR_MS
    step = -(-(now // HOUR_MS - first + 1) // _BARS)
    counts = [0] * ((now // HOUR_MS - first) // step + 1)  # the first hour is asked for as a whole
    for hour in hours:
        counts[min(max(hour.hour // HOUR_MS - first, 0) // step, len(counts) - 1)] += hour.accepted
    return spark(counts, f"{sum(counts):,} mails accepted, from the oldest to the newest", "press")


def _rate(bounced: int, finished: int, line: float) -> Markup | str:
    if not finished:
        return ""
    rate, bound = bounced / finished, wilson(bounced, finished)
    title = f"{rate:.1%} of {finished:,} bounced, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
    return interval(rate, bound.low, bound.high, max(_SCALE, bound.high, line * 1.2), title, line)


PAGES = (Page("get", "", start), Page("get", _PATH, choose), Page("post", _PATH, make))
