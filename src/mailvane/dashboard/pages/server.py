"""The server itself, for those who run it: stores, followed logs, blocklists that cannot be asked."""

from __future__ import annotations

from mailvane import __version__
from mailvane.core.errors import NotAllowed
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit


def show(services: DashboardServices, visit: Visit) -> Reply:
    if not visit.visitor.user.is_server:
        raise NotAllowed("only those who run this server may see it")
    values = {
        "health": services.maillog.health(measured=False),
        "version": __version__,
        "logs": services.followed.every() if services.followed else [],
        "zones": services.reputation.zones.zone_health(),
        "workspaces": len(services.tenancy.workspaces()),
        "waiting": services.notify.outbox.notifications_waiting(),
    }
    return Html("server.html", values)


PAGES = (Page("get", "/server", show),)
