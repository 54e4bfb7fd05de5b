"""The ledger's part in who does what alone for a time. A protocol."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """What one process does alone until then, unless it renews it."""

    name: str
    holder: str
    until: int


class Leases(Protocol):
    def hold(self, name: str, holder: str, now: int, for_ms: int) -> bool:
        """Take or renew a lease; False while somebody else holds it."""

    def give_back(self, name: str, holder: str) -> None:
        """Let others have it, if it is still this holder's."""

    def void_leases(self) -> int:
        """End those of everybody, who are known to be gone; how many."""

    def leases(self, now: int) -> list[Lease]:
        """Those that are held, by name."""
