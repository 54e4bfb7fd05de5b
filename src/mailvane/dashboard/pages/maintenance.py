"""Times in which alerts are logged and nobody is told."""

from __future__ import annotations

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.core.identifiers import new_id
from mailvane.dashboard.pages.alert_tabs import counts_of
from mailvane.dashboard.parts.local_time import zone_named
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.maillog.dates import earliest
from mailvane.reputation.alerts.model import MaintenanceWindow

_LONGEST_REASON = 500


def listed(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    workspace = visit.workspace.id
    values = {
        "section": "Alerts",
        "tab_counts": counts_of(services, visit),
        "windows": services.reputation.alerting.windows(workspace),
        "profiles": services.reputation.profiles.profiles(workspace),
        "names": {each.id: each.name for each in services.reputation.profiles.profiles(workspace)},
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
        "failure": failure,
        "zone": visit.zone.key,
    }
    return Html("maintenance.html", values, 400 if failure else 200)


def add(services: DashboardServices, visit: Visit) -> Reply:
    zone = zone_named(visit.entered("zone"), visit.zone)  # as the form said it: the browser may have moved since
    try:
        since, until = (earliest(visit.entered(name).strip(), visit.now, zone) for name in ("since", "until"))
        window = MaintenanceWindow(
            id=new_id(), workspace=visit.workspace.id, since=since, until=until,
            profile_id=visit.entered("profile") or None, reason=visit.entered("reason").strip()[:_LONGEST_REASON],
        )  # fmt: skip
        services.reputation.alerting.add_window(window)
    except (InvalidFields, InvalidInput) as error:
        return listed(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/alerts/maintenance")


def remove(services: DashboardServices, visit: Visit) -> Reply:
    services.reputation.alerting.remove_window(visit.workspace.id, visit.entered("window"))
    return Redirect(f"/ui/{visit.workspace.id}/alerts/maintenance")


PAGES = (
    Page("get", "/{workspace:int}/alerts/maintenance", listed),
    Page("post", "/{workspace:int}/alerts/maintenance", add, role=Role.OPERATOR),
    Page("post", "/{workspace:int}/alerts/maintenance/remove", remove, role=Role.OPERATOR),
)
