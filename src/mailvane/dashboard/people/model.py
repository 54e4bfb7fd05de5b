"""People, what they may do, and their sessions. Values only; passwords and tokens appear here never, only hashes."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

import msgspec

from mailvane.core.errors import NotAllowed
from mailvane.core.names import looked_up_name


class Role(StrEnum):
    """What a member of a workspace may do; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"  # limits, alerts, triage
    OWNER = "owner"  # keys, members

    def covers(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person."""

    id: int
    name: str  # of login; an address or a short name, lower case
    is_server: bool  # may do everything in every workspace, and sees the server's own pages
    password: str | None  # hash with its parameters; None: only a login link opens
    created_at: int  # milliseconds since the epoch, UTC
    identity: str | None = None  # at the login provider; None: never logged in that way

    @property
    def has_way_in(self) -> bool:
        """Beside login links."""
        return self.password is not None or self.identity is not None


class Membership(msgspec.Struct, frozen=True):
    """What a person may do in one workspace."""

    user: int
    workspace: int
    role: Role
    domains: tuple[str, ...] | None = None  # the mail of these alone; None: all of the workspace


class Binding(msgspec.Struct, frozen=True):
    """What a member is to see of a workspace."""

    domains: tuple[str, ...] | None  # None: all of it


class Reach(msgspec.Struct, frozen=True):
    """What a person who is bound may see."""

    workspace: int
    domains: frozenset[str]

    @property
    def told(self) -> str:
        names = sorted(self.domains)
        whose = ", ".join(names[:-1]) + " and " * (len(names) > 1) + "".join(names[-1:])
        return f"you may see only the mail of {whose}" if names else "you may see the mail of no domain"

    def refuse(self) -> NoReturn:
        """Raises NotAllowed."""
        raise NotAllowed(f"this tells of the whole workspace, and {self.told}")

    def check(self, workspace: int | None) -> None:
        """Raises NotAllowed."""
        if workspace != self.workspace:
            self.refuse()

    def has(self, name: str) -> bool:
        return looked_up_name(name) in self.domains


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that a person logged in with. Times in milliseconds since the epoch, UTC."""

    id: str  # to name it by: not what opens it
    user: int
    created_at: int
    seen_at: int  # to the minute
    proven_at: int  # when the person last proved who it is: by password or link
    address: str  # of the browser
    agent: str  # what it calls itself


class Standing(msgspec.Struct, frozen=True):
    """A member, with what whoever is in charge of them may know."""

    user: User
    member: Membership
    sessions: tuple[Session, ...]  # that live, the one used last first
    invited_until: int | None  # when their newest login link ends; None: there is none that opens
    is_in_hand: bool  # whether the visitor may end their sessions
