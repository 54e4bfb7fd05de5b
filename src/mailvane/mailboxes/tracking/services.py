"""What makes tracking links and serves them. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.tracking.endpoint import PATHS, PREFIX, TrackingApp
from mailvane.mailboxes.tracking.links import Link, LinkKind
from mailvane.mailboxes.tracking.secrets import Secrets
from mailvane.mailboxes.tracking.tagging import Tagging

_LETTERS = {kind: letter for letter, kind in PATHS.items()}


@dataclass(frozen=True)
class TrackingServices:
    """Any number of threads may make links."""

    tenancy: Tenancy
    secrets: Secrets
    app: TrackingApp
    tagging: Tagging
    base_url: str  # of the URLs that are made, without a slash at its end

    def url(self, link: Link, now: int) -> str:
        """Where a link is served. Blocking. Raises StoreUnavailable."""
        ending = ".gif" if link.kind is LinkKind.OPEN else ""
        return f"{self.base_url}{PREFIX}/{_LETTERS[link.kind]}/{self.secrets.sign(link, now)}{ending}"

    def relay(self, workspace: int, relay: int | None) -> int:
        """The one that is named, or the only one. Raises InvalidInput."""
        relays = [each.id for each in self.tenancy.active_relays(workspace)]
        if relay is None and len(relays) == 1:
            return relays[0]
        if relay is None or relay not in relays:
            raise InvalidInput("name an active `relay` of the workspace")
        return relay
