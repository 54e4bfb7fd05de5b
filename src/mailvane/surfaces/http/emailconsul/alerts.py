"""Alerts, their log and their statistics over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Mapping

from mailvane.services.alert_statistics import StatisticsQuestion
from mailvane.storage.reputation import EntryQuestion
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import draft, period, window
from mailvane.surfaces.http.services import ReputationServices

Query = Mapping[str, str]


def create(services: ReputationServices, workspace: int, body: bytes, now: int) -> shape.AlertObject:
    return shape.alert(services.alerting.create(workspace, draft(body), now))


def show(services: ReputationServices, workspace: int, alert_id: str) -> shape.AlertObject:
    return shape.alert(services.alerting.alert(workspace, alert_id))


def update(services: ReputationServices, workspace: int, alert_id: str, body: bytes, now: int) -> shape.AlertObject:
    services.alerting.alert(workspace, alert_id)
    return shape.alert(services.alerting.update(workspace, alert_id, draft(body), now))


def remove(services: ReputationServices, workspace: int, alert_id: str) -> None:
    services.alerting.remove(workspace, alert_id)


def listed(services: ReputationServices, workspace: int, query: Query) -> shape.Page:
    part = window(query, ("created_at", "-created_at", "name", "-name"))
    found = services.alerting.alerts(workspace, query.get("profile_id") or None)
    key = (lambda one: one.name.lower()) if part.sort.endswith("name") else (lambda one: one.created_at)
    found = sorted(found, key=key, reverse=part.sort.startswith("-"))
    shown = [shape.alert(one) for one in found[part.offset : part.offset + part.limit]]
    return shape.Page(shown, shape.Meta(len(found), part.offset, part.limit))


def log(services: ReputationServices, workspace: int, alert_id: str, query: Query) -> shape.Page:
    part = window(query, ("-timestamp", "timestamp"))
    page = services.alerting.entries(
        EntryQuestion(
            workspace=workspace,
            alert_id=alert_id,
            newest_first=part.sort.startswith("-"),
            offset=part.offset,
            limit=part.limit,
        )
    )
    return shape.Page([shape.entry(one) for one in page.entries], shape.Meta(page.total, part.offset, part.limit))


def aggregated(services: ReputationServices, workspace: int, query: Query) -> shape.Rows:
    """Of all alerts."""
    return shape.Rows(services.statistics.by_alert(_question(workspace, query, None, None)))


def aggregated_of(
    services: ReputationServices, workspace: int, alert_id: str, rule_type: str, query: Query
) -> shape.Rows:
    return shape.Rows(services.statistics.aggregated(_of(services, workspace, alert_id, rule_type, query)))


def timeseries(services: ReputationServices, workspace: int, query: Query) -> shape.Rows:
    """Of all alerts."""
    return shape.Rows(services.statistics.timeseries(_question(workspace, query, None, None)))


def timeseries_of(
    services: ReputationServices, workspace: int, alert_id: str, rule_type: str, query: Query
) -> shape.Rows:
    return shape.Rows(services.statistics.timeseries(_of(services, workspace, alert_id, rule_type, query)))


def _of(
    services: ReputationServices, workspace: int, alert_id: str, rule_type: str, query: Query
) -> StatisticsQuestion:
    services.alerting.entries(EntryQuestion(workspace=workspace, alert_id=alert_id, limit=1))
    return _question(workspace, query, alert_id, rule_type)


def _question(workspace: int, query: Query, alert_id: str | None, rule_type: str | None) -> StatisticsQuestion:
    since, until = period(query)
    return StatisticsQuestion(
        workspace=workspace,
        since=since,
        until=until,
        alert_id=alert_id,
        rule_type=rule_type,
        profile_id=query.get("profile_id") or None,
        ip=query.get("ip", ""),
        domain=query.get("domain", ""),
    )
