"""The server itself, for those who run it: stores, followed logs, blocklists that cannot be asked."""

from __future__ import annotations

from mailvane import __version__
from mailvane.core.errors import NotAllowed
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Page, Reply, Visit

_PATH = "/server"


def show(services: DashboardServices, visit: Visit) -> Reply:
    if not visit.visitor.user.is_server:
        raise NotAllowed("only those who run this server may see it")
    panels = Panels(services, visit, _PATH)
    values = {
        "health": panels.ask(
            "health", "What the mail log holds", lambda: services.maillog.health(measured=False), None
        ),
        "version": __version__,
        "logs": services.followed.every() if services.followed else [],
        "zones": services.reputation.zones.zone_health(),
        "workspaces": len(services.tenancy.workspaces()),
        "waiting": services.notify.outbox.notifications_waiting(),
    }
    return panels.html("server.html", values)


PAGES = (Page("get", _PATH, show),)
