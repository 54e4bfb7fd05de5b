"""Pages that follow what changes, and the version that each is drawn of."""

from __future__ import annotations

from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit


def drawn(services: DashboardServices, visit: Visit) -> dict[str, str]:
    """To be asked before a page is drawn, and put into its values. Raises StoreUnavailable.

    Nothing for who is bound to domains: versions count what happens in the whole workspace.
    """
    return {} if visit.reach is not None else {"drawn": services.changes.drawn(visit.workspace.id, visit.now)}
