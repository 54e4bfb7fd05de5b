"""What stands beside the names of the tabs of alerts: how many there are."""

from __future__ import annotations

from collections.abc import Mapping

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.notify.model import NotificationState
from mailvane.reputation.alerts.model import EntryState
from mailvane.reputation.questions import AlertQuestion

_TOLD_MS = 30 * DAY_MS
_LOST = frozenset({NotificationState.FAILED, NotificationState.DISABLED})


def counts_of(services: DashboardServices, visit: Visit) -> Mapping[str, str]:
    """By tab, in words."""
    workspace, alerting = visit.workspace.id, services.reputation.alerting
    told = services.notify.outbox.states(workspace, visit.now - _TOLD_MS)
    lost = sum(told.get(state, 0) for state in _LOST)
    windows = sum(window.until > visit.now for window in alerting.windows(workspace))
    return {
        "Fired": f"{alerting.entry_states(workspace).get(EntryState.OPEN, 0):,} open",
        "Alerts": f"{alerting.page(AlertQuestion(workspace=workspace, limit=1)).total:,}",
        "Told": f"{told.get(NotificationState.DELIVERED, 0):,} in 30 days, {lost:,} failed",
        "Maintenance": f"{windows:,} planned" if windows else "",
    }
