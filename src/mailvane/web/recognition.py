"""Keys that were proven a moment ago are known without asking the ledger.

A key that was taken back, switched off or has expired may thus be let in for at most `AGE_SECONDS` more; in the
process that took it back, not at all. A key that was not let in is never remembered: a new one works at once.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.core.tenants.service import Tenancy

AGE_SECONDS = 1.0  # ours
_REMEMBERED = 10_000


class _Proof(NamedTuple):
    principal: Principal
    until: float


class KeyCache:
    """Who presents a key: remembered, or proven anew. Safe to share between threads."""

    def __init__(self, tenancy: Tenancy, admit_client: Callable[[int, int], object], age: float = AGE_SECONDS) -> None:
        """`admit_client` is asked whether a client key (its number, now) may enter, and raises when it may not."""
        self._tenancy = tenancy
        self._admit_client = admit_client
        self._age = age
        self._proofs: dict[tuple[bytes, str | None], _Proof] = {}

    def recall(self, token: str, workspace: str | None, moment: float) -> Principal | None:
        """Who it was a moment ago; never blocks. The moment is of a clock that only goes forward, in seconds."""
        proof = self._proofs.get((_digest(token), workspace))
        return proof.principal if proof is not None and moment < proof.until else None

    def prove(self, token: str, workspace: str | None, now: int, moment: float) -> Principal:
        """Who it is, by the ledger. Raises NotAuthenticated, InvalidInput, NotFound, NotAllowed."""
        principal = self._tenancy.authenticate(token, workspace)
        if principal.kind is KeyKind.CLIENT and principal.key is not None:
            self._admit_client(principal.key, now)
        if len(self._proofs) >= _REMEMBERED:
            self._proofs = {}
        self._proofs[_digest(token), workspace] = _Proof(principal, moment + self._age)
        return principal

    def forget(self) -> None:
        """A key was changed: whoever comes next is proven anew."""
        self._proofs = {}


def _digest(token: str) -> bytes:
    """No secret lies in memory longer than its request."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
