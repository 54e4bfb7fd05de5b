"""Which workspaces a person may look at."""

from __future__ import annotations

from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit


def start(services: DashboardServices, visit: Visit) -> Reply:
    """The only workspace at once, otherwise the choice."""
    found = services.people.workspaces(visit.visitor)
    return Redirect(f"/ui/{found[0].id}" if len(found) == 1 else "/ui/workspaces")


def choose(services: DashboardServices, visit: Visit) -> Reply:
    return Html("workspaces.html", {"workspaces": services.people.workspaces(visit.visitor)})


PAGES = (Page("get", "", start), Page("get", "/workspaces", choose))
