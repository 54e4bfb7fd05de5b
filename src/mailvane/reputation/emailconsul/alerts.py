"""Alerts, their log and their statistics over HTTP. Blocking."""

from __future__ import annotations

from mailvane.core.errors import Transient
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import draft, period, window
from mailvane.reputation.questions import AlertQuestion, EntryQuestion, FiringQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

ORDERS = ("created_at", "-created_at", "name", "-name")
LOG_ORDERS = ("-timestamp", "timestamp")


def create(services: ReputationServices, asked: Asked) -> shape.AlertObject:
    return _kept(services, services.alerting.create(asked.workspace, draft(asked.body), asked.now))


def show(services: ReputationServices, asked: Asked) -> shape.AlertObject:
    return _shown(services, services.alerting.alert(asked.workspace, asked.path["alert_id"]))


def update(services: ReputationServices, asked: Asked) -> shape.AlertObject:
    known = services.alerting.alert(asked.workspace, asked.path["alert_id"])
    given = draft(asked.body, known)
    return _kept(services, services.alerting.update(asked.workspace, asked.path["alert_id"], given, asked.now))


def remove(services: ReputationServices, asked: Asked) -> None:
    services.alerting.remove(asked.workspace, asked.path["alert_id"])


def listed(services: ReputationServices, asked: Asked) -> shape.Page:
    part = window(asked.query, ORDERS)
    found = services.alerting.page(
        AlertQuestion(
            workspace=asked.workspace,
            profile_id=asked.query.get("profile_id") or None,
            by_name=part.sort.endswith("name"),
            descending=part.descending,
            offset=part.offset,
            limit=part.limit,
        )
    )
    failures = services.alerting.failures([one.id for one in found.alerts])
    warned = services.warnings.of(asked.workspace, found.alerts)
    rows = [shape.alert(one, failures.get(one.id, {}), warned.get(one.id, ())) for one in found.alerts]
    return shape.page(rows, found.total, part)


def log(services: ReputationServices, asked: Asked) -> shape.Page:
    part = window(asked.query, LOG_ORDERS)
    page = services.alerting.entries(
        EntryQuestion(
            workspace=asked.workspace,
            alert_id=asked.path["alert_id"],
            newest_first=part.descending,
            offset=part.offset,
            limit=part.limit,
        )
    )
    return shape.page([shape.entry(one) for one in page.entries], page.total, part)


def aggregated(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Of all alerts."""
    return shape.Rows(services.statistics.by_alert(_question(asked)))


def aggregated_of(services: ReputationServices, asked: Asked) -> shape.Rows:
    return shape.Rows(services.statistics.aggregated(_of_one(services, asked)))


def timeseries(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Of all alerts."""
    return shape.Rows(services.statistics.timeseries(_question(asked)))


def timeseries_of(services: ReputationServices, asked: Asked) -> shape.Rows:
    return shape.Rows(services.statistics.timeseries(_of_one(services, asked)))


def _kept(services: ReputationServices, found: Alert) -> shape.AlertObject:
    """It is kept: what else does not answer is no refusal of what was asked."""
    try:
        return _shown(services, found)
    except Transient:
        return shape.alert(found, {})


def _shown(services: ReputationServices, found: Alert) -> shape.AlertObject:
    warned = services.warnings.of(found.workspace, [found]).get(found.id, ())
    return shape.alert(found, services.alerting.failures([found.id]).get(found.id, {}), warned)


def _of_one(services: ReputationServices, asked: Asked) -> FiringQuestion:
    services.alerting.entries(EntryQuestion(workspace=asked.workspace, alert_id=asked.path["alert_id"], limit=1))
    return _question(asked)


def _question(asked: Asked) -> FiringQuestion:
    since, until = period(asked.query)
    return FiringQuestion(
        workspace=asked.workspace,
        since=since,
        until=until,
        alert_id=asked.path.get("alert_id"),
        rule_type=asked.path.get("rule_type"),
        profile_id=asked.query.get("profile_id") or None,
        ip=asked.query.get("ip", ""),
        domain=asked.query.get("domain", ""),
    )
