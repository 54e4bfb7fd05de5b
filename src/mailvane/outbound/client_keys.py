"""Keys of customers: issued on terms, changed, taken back; and the quota of domains that the terms set.

What is used is counted when it is asked for, never kept: a count that cannot be wrong needs no recount. Keys of other
kinds are made by `Tenancy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import msgspec

from mailvane.core.errors import InvalidInput, KeyDeactivated, KeyExpired, NotAuthenticated, NotFound, QuotaExceeded
from mailvane.outbound.clients import ClientKey, Terms
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Domain
from mailvane.outbound.store.clients import ClientStore

SHORTEST_TOKEN = 16  # ours: the caller chooses the token, and a plain hash protects only what cannot be guessed
LONGEST_TOKEN = 512  # ours


class ClientKeys:
    """Customers' keys and what they allow."""

    def __init__(self, terms: ClientStore, governance: Governance) -> None:
        self._terms = terms
        self._governance = governance
        self._creating = Lock()

    def issue(self, workspace: int, token: str, terms: Terms, now: int) -> ClientKey:
        """Keep a token that the caller chose. Raises InvalidInput, AlreadyExists, NotFound."""
        check_token(token)
        return self._terms.add_client(workspace, token, terms, now)

    def find(self, token: str) -> ClientKey:
        """Raises NotFound."""
        found = self._terms.client(token)
        if found is None:
            raise NotFound("there is no such key")
        return found

    def change(self, token: str, changes: Mapping[str, object]) -> ClientKey:
        """Change the terms that are named. Raises NotFound."""
        return self._terms.change_client(self.find(token).id, lambda terms: msgspec.structs.replace(terms, **changes))

    def revoke(self, token: str) -> None:
        """Raises NotFound."""
        self._terms.remove_client(self.find(token).id)

    def admit(self, key: int, now: int) -> None:
        """Whether the key may be used now. Raises NotAuthenticated, KeyDeactivated, KeyExpired."""
        found = self._terms.client_numbered(key)
        if found is None:
            raise NotAuthenticated
        if not found.terms.active:
            raise KeyDeactivated
        if found.expired(now):
            raise KeyExpired

    def any_opens(self, workspace: int, now: int) -> bool:
        """Whether a customer could reach what the workspace holds."""
        return any(key.opens(now) for key in self._terms.clients(workspace))

    def domains_used(self, workspace: int) -> int:
        """Those that it has; one that was removed does not count."""
        return self._governance.domain_count(workspace)

    def create_domain(self, key: int, name: str, workspace: int, now: int, *, approved: bool = False) -> Domain:
        """A new domain of the workspace, or one that was removed, within the terms of the key.

        Raises QuotaExceeded, AlreadyExists, InvalidInput.
        """
        found = self._terms.client_numbered(key)
        allowed = found.terms.domains_allowed if found is not None else 0
        actor = f"key {key}"
        if not allowed:
            return self._governance.create(name, workspace, now, actor=actor, approved=approved)
        with self._creating:
            self._check_room(workspace, allowed, made=0)
            domain = self._governance.create(name, workspace, now, actor=actor, approved=approved)
            try:
                # Another process may have taken the last place just now: rather none of both than one too many.
                self._check_room(workspace, allowed, made=1)
            except QuotaExceeded:
                self._governance.remove(name, actor, now, workspace=workspace)
                raise
        return domain

    def _check_room(self, workspace: int, allowed: int, made: int) -> None:
        used = self.domains_used(workspace) - made
        if used >= allowed:
            raise QuotaExceeded(used, allowed)


def check_token(token: str) -> None:
    """Raises InvalidInput."""
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN:
        raise InvalidInput(f"a token has {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters")
    if not token.isascii() or not token.isprintable() or " " in token or "/" in token:
        raise InvalidInput("a token has visible ASCII characters only, and no slash")
