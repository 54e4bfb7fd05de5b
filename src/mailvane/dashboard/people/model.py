"""People, what they may do, and their sessions. Values only; passwords and tokens appear here never, only hashes."""

from __future__ import annotations

from enum import StrEnum

import msgspec


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


class Membership(msgspec.Struct, frozen=True):
    """What a person may do in one workspace."""

    user: int
    workspace: int
    role: Role


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that a person logged in with. Times in milliseconds since the epoch, UTC."""

    id: str  # to name it by: not what opens it
    user: int
    created_at: int
    seen_at: int  # to the minute
    proven_at: int  # when the person last proved who it is: by password or link
    address: str  # of the browser
    agent: str  # what it calls itself
