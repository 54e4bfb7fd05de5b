"""Who sends in our name: what the aggregate reports of a time add up to, by domain and by sender."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.dmarc.model import ReportQuestion, RowQuestion, SenderSummary
from mailvane.mailboxes.rates import wilson

RANGES = {"7": 7, "30": 30, "90": 90}
_USUAL = "30"
_SENDERS, _REPORTS = 100, 20
_LATE_MS = 2 * DAY_MS  # a report may end a little later than our clock says


class Sender(msgspec.Struct, frozen=True):
    """One address that sent in the name of a domain."""

    told: SenderSummary
    share: str  # that passed
    picture: Markup  # of the share that failed


def show(services: DashboardServices, visit: Visit) -> Reply:
    chosen = visit.asked("days", _USUAL)
    chosen = chosen if chosen in RANGES else _USUAL
    since, until = visit.now - RANGES[chosen] * DAY_MS, visit.now + _LATE_MS
    domain = visit.asked("domain").strip().rstrip(".").lower() or None
    workspace, reports = visit.workspace.id, services.dmarc.reports
    failing = bool(visit.asked("failing"))
    summary = reports.report_summary(
        RowQuestion(workspace=workspace, since=since, until=until, domain=domain, failing_only=failing), _SENDERS
    )
    question = ReportQuestion(workspace=workspace, since=since, until=until, domain=domain, limit=_REPORTS)
    page, tls, abuse = reports.report_page(question), reports.tls_reports(question), reports.abuse_reports(question)
    values = {
        "section": "Reputation",
        "tab": "DMARC",
        "range": chosen,
        "with_days": {each: visit.with_query(days=each) for each in RANGES},
        "domain": domain or "",
        "failing": failing,
        "with_failing": visit.with_query(failing="" if failing else "1"),
        "domains": summary.domains,
        "services": services.dmarc.senders.services(
            RowQuestion(workspace=workspace, since=since, until=until, domain=domain)
        ),
        "since": since,
        "senders": _senders(summary.senders),
        "reports": page.reports,
        "total": page.total,
        "tls": tls.domains,
        "abuse": abuse.domains,
        "address": services.dmarc.reports_address,
    }
    return Html("dmarc.html", values)


def _senders(found: Sequence[SenderSummary]) -> list[Sender]:
    bounds = [wilson(each.messages - each.passed, each.messages) for each in found if each.messages]
    scale = max((bound.high for bound in bounds), default=1.0)
    rows = []
    for each in found:
        if not each.messages:
            continue
        failed, bound = each.messages - each.passed, wilson(each.messages - each.passed, each.messages)
        title = f"{failed:,} of {each.messages:,} failed, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
        share = f"{each.passed * 1000 // each.messages / 10:g} %"
        rows.append(Sender(each, share, interval(failed / each.messages, bound.low, bound.high, scale, title)))
    return rows


PAGES = (Page("get", "/{workspace:int}/reputation/dmarc", show),)
