"""The ledger's role of knowing customers' keys and their terms. A protocol, like `interface`.

That a key exists at all is known to `Tenants`, too: it proves them like any other key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mailvane.outbound.clients import ClientKey, Terms


class ClientTerms(Protocol):
    """Every change is one durable transaction. A key that was made without terms has the default ones."""

    def add_client(self, workspace: int, secret: str, terms: Terms, now: int) -> ClientKey:
        """Keep the hash of a secret and its terms. Raises AlreadyExists for a secret in use, NotFound."""

    def client(self, secret: str) -> ClientKey | None:
        """The customer's key that a secret belongs to; None for keys of other kinds, too."""

    def client_numbered(self, key: int) -> ClientKey | None: ...

    def clients(self, workspace: int) -> list[ClientKey]:
        """By id."""

    def change_client(self, key: int, change: Callable[[Terms], Terms]) -> ClientKey:
        """Read, change and write under a lock. Raises NotFound."""

    def remove_client(self, key: int) -> None:
        """Forget the key; what its holder made stays. Raises NotFound."""

    def client_used(self, key: int, now: int) -> None:
        """Remember when a key was last used."""
