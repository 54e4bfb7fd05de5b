"""Workspaces, relays and keys in the ledger."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.removing import count_of_workspace, delete_with_dependents, delete_workspace
from mailvane.core.ledger.tables import keys, relays, removed_workspaces, workspaces
from mailvane.core.tenants.model import Key, KeyKind, Price, Relay, Workspace

_HINT_CHARACTERS = 12
_KEY = (
    keys.c.id, keys.c.kind, keys.c.workspace, keys.c.hint, keys.c.created_at, keys.c.expires_at, keys.c.last_used_at,
)  # fmt: skip
_LARGEST_ID = 2**31 - 1  # of a column; PostgreSQL compares it with no larger number


class TenantStore:
    """Who there is. Nothing is cached, so what one process changes every other sees at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_workspace(self, name: str, now: int) -> Workspace:
        """Raises AlreadyExists."""
        row = {"name": name, "created_at": now, "retention_days": 0}
        try:
            with self._database.write() as connection:
                number = connection.execute(insert(workspaces).values(row).returning(workspaces.c.id)).scalar_one()
        except IntegrityError as error:
            raise _taken(name) from error
        return Workspace(id=number, name=name, created_at=now)

    def workspaces(self) -> list[Workspace]:
        """All of them, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(workspaces).order_by(workspaces.c.id))
            return [Workspace(**row) for row in rows.mappings()]

    def workspace(self, workspace: int) -> Workspace | None:
        """The one of that id."""
        return self._one_workspace(workspaces.c.id == workspace) if workspace <= _LARGEST_ID else None

    def workspace_named(self, name: str) -> Workspace | None:
        # What no column can hold names nobody.
        return self._one_workspace(workspaces.c.name == name) if plain(name) == name else None

    def _one_workspace(self, condition: ColumnElement[bool]) -> Workspace | None:
        with self._database.read() as connection:
            row = connection.execute(select(workspaces).where(condition)).mappings().one_or_none()
        return None if row is None else Workspace(**row)

    def save_workspace(self, workspace: Workspace) -> None:
        """Store changed name or retention. Raises NotFound, AlreadyExists."""
        changed = {"name": workspace.name, "retention_days": workspace.retention_days}
        statement = update(workspaces).where(workspaces.c.id == workspace.id).values(changed)
        try:
            with self._database.write() as connection:
                found = connection.execute(statement).rowcount
        except IntegrityError as error:
            raise _taken(workspace.name) from error
        if not found:
            raise _no_workspace(workspace.id)

    def rows_of(self, workspace: int) -> dict[str, int]:
        """How many rows of the ledger are a workspace's, by table."""
        with self._database.read() as connection:
            return dict(sorted(count_of_workspace(connection, workspace).items()))

    def remove_workspace(self, workspace: Workspace, now: int) -> None:
        """Delete it and all that the ledger has of it; it is remembered that it was there. Raises NotFound."""
        row = {"id": workspace.id, "name": workspace.name, "created_at": workspace.created_at, "removed_at": now}
        with self._database.write() as connection:
            if not delete_workspace(connection, workspace.id):
                raise _no_workspace(workspace.id)
            connection.execute(self._database.upsert(removed_workspaces), row)

    def removed_workspaces(self) -> list[Workspace]:
        """Those that were removed, by id."""
        columns = (removed_workspaces.c.id, removed_workspaces.c.name, removed_workspaces.c.created_at)
        with self._database.read() as connection:
            rows = connection.execute(select(*columns).order_by(removed_workspaces.c.id))
            return [Workspace(**row) for row in rows.mappings()]

    def add_relay(self, workspace: int, comment: str, now: int) -> Relay:
        """A new active relay; ids are unique across workspaces and count from 1. Raises NotFound."""
        fresh = Relay(id=0, workspace=workspace, comment=comment, active=True, created_at=now)
        values = {"workspace": workspace, "created_at": now, **_changeable(fresh)}
        try:
            with self._database.write() as connection:
                row = connection.execute(insert(relays).values(values).returning(*relays.c)).one()
        except IntegrityError as error:
            raise _no_workspace(workspace) from error
        return _relay(row)

    def relays(self, workspace: int) -> list[Relay]:
        """All relays of a workspace, by id, inactive ones too."""
        with self._database.read() as connection:
            rows = connection.execute(select(relays).where(relays.c.workspace == workspace).order_by(relays.c.id)).all()
        return [_relay(row) for row in rows]

    def relay(self, relay: int) -> Relay | None:
        """The one of that id, of whichever workspace."""
        if relay > _LARGEST_ID:
            return None
        with self._database.read() as connection:
            row = connection.execute(select(relays).where(relays.c.id == relay)).one_or_none()
        return None if row is None else _relay(row)

    def save_relay(self, relay: Relay) -> None:
        """Store changed comment, activity, billing day or price. Raises NotFound."""
        own = (relays.c.id == relay.id) & (relays.c.workspace == relay.workspace)
        with self._database.write() as connection:
            found = connection.execute(update(relays).where(own).values(_changeable(relay))).rowcount
        if not found:
            raise NotFound(f"workspace {relay.workspace} has no relay {relay.id}")

    def add_key(
        self, kind: KeyKind, workspace: int | None, secret: str, now: int, expires_at: int | None = None
    ) -> Key:
        """Keep the hash of a new secret. Raises NotFound."""
        values = {
            "kind": kind.value,
            "workspace": workspace,
            "hash": hash_of(secret),
            "hint": secret[:_HINT_CHARACTERS],
            "created_at": now,
            "expires_at": expires_at,
        }
        try:
            with self._database.write() as connection:
                row = connection.execute(insert(keys).values(values).returning(*_KEY)).one()
        except IntegrityError as error:
            raise _no_workspace(workspace) from error
        return _key(row)

    def key(self, secret: str) -> Key | None:
        """The key that a presented secret belongs to."""
        with self._database.read() as connection:
            row = connection.execute(select(*_KEY).where(keys.c.hash == hash_of(secret))).one_or_none()
        return None if row is None else _key(row)

    def keys(self, workspace: int | None = None) -> list[Key]:
        """Those of a workspace, or all there are; by id."""
        question = select(*_KEY).order_by(keys.c.id)
        if workspace is not None:
            question = question.where(keys.c.workspace == workspace)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(question)]

    def key_numbered(self, key: int) -> Key | None:
        """The one of that id."""
        if key > _LARGEST_ID:
            return None
        with self._database.read() as connection:
            row = connection.execute(select(*_KEY).where(keys.c.id == key)).one_or_none()
        return None if row is None else _key(row)

    def expire_key(self, key: int, expires_at: int | None) -> Key:
        """Change until when it opens. Raises NotFound."""
        statement = update(keys).where(keys.c.id == key).values(expires_at=expires_at).returning(*_KEY)
        with self._database.write() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise _no_key(key)
        return _key(row)

    def remove_key(self, key: int) -> None:
        """Forget a key, with the terms that it was handed out on. Raises NotFound."""
        with self._database.write() as connection:
            if not delete_with_dependents(connection, keys, keys.c.id == key)[keys.name]:
                raise _no_key(key)

    def key_used(self, key: int, now: int) -> None:
        """Remember when a key was last used; an earlier time changes nothing."""
        later = keys.c.last_used_at.is_(None) | (keys.c.last_used_at < now)
        with self._database.write() as connection:
            connection.execute(update(keys).where(keys.c.id == key, later).values(last_used_at=now))


def hash_of(secret: str) -> bytes:
    """The secrets are random and long, so a plain hash cannot be turned back; a slow one would only slow requests."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _changeable(relay: Relay) -> dict[str, Any]:
    return {
        "comment": relay.comment,
        "active": relay.active,
        "billing_day": relay.billing_day,
        "price_base": relay.price.base,
        "price_per_thousand": relay.price.per_thousand,
        "price_currency": relay.price.currency,
    }


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        kind=KeyKind(row.kind),
        workspace=row.workspace,
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _relay(row: Row[Any]) -> Relay:
    return Relay(
        id=row.id,
        workspace=row.workspace,
        comment=row.comment,
        active=row.active,
        created_at=row.created_at,
        billing_day=row.billing_day,
        price=Price(row.price_base, row.price_per_thousand, row.price_currency),
    )


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"a workspace named {name!r} exists already")


def _no_workspace(workspace: int | None) -> NotFound:
    return NotFound(f"there is no workspace {workspace}")


def _no_key(key: int) -> NotFound:
    return NotFound(f"there is no key {key}")
