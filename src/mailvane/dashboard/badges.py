"""How many things need a person on each page, told beside its name in the navigation.

Each page asks, so that what is dearer than a look at a few rows is kept for a few seconds; whatever somebody does in
a workspace makes its counts be asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mailvane.core.errors import Transient
from mailvane.dashboard.pages import domains
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.inbound.model import MessageStatus
from mailvane.reputation.alerts.model import EntryState
from mailvane.reputation.cells import CellState

_KEPT_MS = 10_000


class Badge(msgspec.Struct, frozen=True):
    count: int
    told: str  # in words, for who does not see where it stands
    is_loud: bool = True


class Badges:
    """Of all workspaces, for any number of threads."""

    def __init__(self, services: DashboardServices) -> None:
        self._services = services
        self._kept: dict[int, tuple[int, Mapping[str, Badge]]] = {}

    def of(self, visit: Visit) -> Mapping[str, Badge]:
        """By the name of the page; only where there is something. Blocking."""
        if visit.place is None or visit.reach is not None:  # they count things of the whole workspace
            return {}
        at, found = self._kept.get(visit.place.id, (0, {}))
        if at <= visit.now < at + _KEPT_MS:
            return found
        try:
            found = {name: badge for name, badge in self._asked(visit).items() if badge.count}
        except Transient:
            return {}  # the page itself tells what did not answer
        self._kept[visit.place.id] = visit.now, found
        return found

    def forget(self, workspace: int) -> None:
        """Somebody did something there."""
        self._kept.pop(workspace, None)

    def _asked(self, visit: Visit) -> dict[str, Badge]:
        services, workspace = self._services, visit.workspace.id
        concerned = {need.path for need in domains.needs(services, visit)}
        bad = services.reputation.board.board(workspace, visit.now).counts[CellState.BAD]
        fired = services.reputation.alerting.entry_states(workspace).get(EntryState.OPEN, 0)
        held = services.inbound.stores.pages.counts(workspace)[MessageStatus.QUARANTINED]
        return {
            "Domains": Badge(len(concerned), "stopped or at a limit"),
            "Reputation": Badge(bad, "bad"),
            "Alerts": Badge(fired, "open"),
            "Inbound": Badge(held, "held", is_loud=False),
        }
