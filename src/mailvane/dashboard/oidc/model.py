"""Whom a provider vouches for, and who may come in. Values, and what pages ask."""

from __future__ import annotations

from typing import Protocol

import msgspec

from mailvane.dashboard.oidc.attempt import Attempt
from mailvane.dashboard.people.model import Role


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the provider knows them."""

    identity: str  # issuer and subject: it stays theirs when the address becomes somebody else's
    email: str  # lower case; "": not told
    is_verified: bool  # whether the provider vouches for the address


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of people whom nobody has made."""

    role: Role
    workspace: str  # its name
    domains: tuple[str, ...]  # of their e-mail addresses; none, any

    def admits(self, email: str) -> bool:
        return not self.domains or email.rpartition("@")[2] in {each.lower() for each in self.domains}


class Provider(Protocol):
    """Who vouches for people. Blocking."""

    name: str  # as people call it

    def address(self, attempt: Attempt, redirect_uri: str, now: int) -> str: ...

    def proven(self, code: str, attempt: Attempt, redirect_uri: str, now: int) -> Proven: ...

    def is_issuer(self, issuer: str, now: int) -> bool: ...
