"""Heartbeats: addresses that a job calls while all is well, so that its silence is noticed (a dead man's switch).

Whoever knows the address may call it, so it holds a secret, of which only a hash is kept. Times are milliseconds since
the epoch, UTC. The one that this server calls itself is `server.heartbeat`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec

from mailvane.core.errors import InvalidFields, NotFound
from mailvane.core.identifiers import new_id

LONGEST_SECONDS = 366 * 24 * 3600
USUAL_GRACE_SECONDS = 60
CALLS_PATH = "/mailvane/v1/heartbeats/call"
_LONGEST_NAME = 100  # characters
_SECRET_BYTES = 24
_MOST = 1000  # ours: of a workspace


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of a job. Unique by workspace and name."""

    id: str
    workspace: int
    name: str
    period: int  # seconds from one call to the next
    grace: int  # seconds more before it is late
    created_at: int
    called_at: int = 0  # last; 0: never

    @property
    def since(self) -> int:
        """From when the next call is waited for."""
        return max(self.created_at, self.called_at)

    @property
    def due_at(self) -> int:
        """From this moment on it is late, until it is called."""
        return self.since + (self.period + self.grace) * 1000


class HeartbeatStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One as people see it, at one moment."""

    id: str
    name: str
    period: int
    grace: int
    created_at: int
    called_at: int | None  # None: never
    due_at: int
    late: bool


def standing(one: Heartbeat, now: int) -> HeartbeatStanding:
    return HeartbeatStanding(
        id=one.id, name=one.name, period=one.period, grace=one.grace, created_at=one.created_at,
        called_at=one.called_at or None, due_at=one.due_at, late=one.due_at <= now,
    )  # fmt: skip


class NewHeartbeat(msgspec.Struct, frozen=True):
    """A new one and the secret of its address, which exists nowhere else: show it once."""

    heartbeat: Heartbeat
    secret: str

    @property
    def path(self) -> str:
        """Where it is called."""
        return f"{CALLS_PATH}/{self.secret}"


class HeartbeatTable(Protocol):
    def add(self, heartbeat: Heartbeat, secret_hash: str, most: int) -> None:
        """Raises AlreadyExists, InvalidInput where the workspace has so many."""

    def of(self, workspace: int) -> Sequence[Heartbeat]:
        """By name."""

    def secret_hashes(self, workspace: int) -> Mapping[str, str]:
        """By id."""

    def change(self, changed: Heartbeat, secret_hash: str | None) -> bool:
        """Period and grace, and where one is given the hash. Raises AlreadyExists where another has that hash."""

    def remove(self, workspace: int, heartbeat_id: str) -> bool: ...

    def call(self, secret_hash: str, now: int) -> bool:
        """Whether there is such a one."""


class Heartbeats:
    """Safe to share between threads. Blocking."""

    def __init__(self, table: HeartbeatTable) -> None:
        self._table = table

    def all(self, workspace: int) -> Sequence[Heartbeat]:
        """By name."""
        return self._table.of(workspace)

    def create(self, workspace: int, name: str, period: int, grace: int, now: int) -> NewHeartbeat:
        """Raises InvalidFields, InvalidInput, AlreadyExists."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        return NewHeartbeat(self._add(workspace, (name, period, grace), _hash(secret), now), secret)

    def adopt(self, workspace: int, terms: tuple[str, int, int], secret_hash: str, now: int) -> Heartbeat:
        """One of another installation by name, period and grace: its jobs call the address that they know.

        Raises InvalidFields, InvalidInput, AlreadyExists.
        """
        return self._add(workspace, terms, secret_hash, now)

    def _add(self, workspace: int, terms: tuple[str, int, int], secret_hash: str, now: int) -> Heartbeat:
        name, (_, period, grace) = checked_terms(*terms), terms
        made = Heartbeat(id=new_id(), workspace=workspace, name=name, period=period, grace=grace, created_at=now)
        self._table.add(made, secret_hash, _MOST)
        return made

    def secret_hashes(self, workspace: int) -> Mapping[str, str]:
        """By id."""
        return self._table.secret_hashes(workspace)

    def change(self, known: Heartbeat, period: int, grace: int, secret_hash: str | None = None) -> None:
        """When it is expected, and where a hash is given its address. Raises InvalidFields, AlreadyExists, NotFound."""
        checked_terms(known.name, period, grace)
        if not self._table.change(msgspec.structs.replace(known, period=period, grace=grace), secret_hash):
            raise NotFound(f"there is no heartbeat {known.name}")

    def named(self, workspace: int, name: str) -> Heartbeat:
        """By its id or its name. Raises NotFound."""
        for one in self._table.of(workspace):
            if name in (one.id, one.name):
                return one
        raise NotFound(f"there is no heartbeat {name[:_LONGEST_NAME]}")

    def remove(self, workspace: int, heartbeat_id: str) -> None:
        """Raises NotFound."""
        if not self._table.remove(workspace, heartbeat_id):
            raise NotFound(f"there is no heartbeat {heartbeat_id[:_LONGEST_NAME]}")

    def call(self, secret: str, now: int) -> None:
        """The job is alive. Raises NotFound."""
        if not self._table.call(_hash(secret), now):
            raise NotFound("there is no heartbeat at this address")


def checked_terms(name: str, period: int, grace: int) -> str:
    """The name as it is kept. Raises InvalidFields."""
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidFields(("name", f"expected 1 to {_LONGEST_NAME} characters that can be shown"))
    for field, value, least in (("period", period, 1), ("grace", grace, 0)):
        if not least <= value <= LONGEST_SECONDS:
            raise InvalidFields((field, f"expected {least} to {LONGEST_SECONDS} seconds"))
    return name


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
