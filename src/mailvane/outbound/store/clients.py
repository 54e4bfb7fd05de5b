"""Customers' keys and their terms in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.removing import delete_with_dependents
from mailvane.core.ledger.tables import keys
from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.store import hash_of
from mailvane.outbound.clients import ClientKey, Terms
from mailvane.outbound.store.tables import client_terms

_HINT_CHARACTERS = 4  # the caller chose the secret, and it may be short
_TERMS = Terms.__struct_fields__


class ClientStore:
    """Keys of kind client, each with its terms beside it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_client(self, workspace: int, secret: str, terms: Terms, now: int) -> ClientKey:
        """Keep the hash of a secret and its terms. Raises AlreadyExists for a secret in use, NotFound."""
        row = {
            "kind": KeyKind.CLIENT.value,
            "workspace": workspace,
            "hash": hash_of(secret),
            "hint": secret[:_HINT_CHARACTERS],
            "created_at": now,
            "expires_at": terms.expires_at,
        }
        try:
            with self._database.write() as connection:
                number = connection.execute(insert(keys).values(row).returning(keys.c.id)).scalar_one()
                connection.execute(insert(client_terms).values(key=number, **_beside(terms)))
        except IntegrityError as error:
            if self._is_taken(secret):
                raise AlreadyExists("there is such a key already") from error
            raise NotFound(f"there is no workspace {workspace}") from error
        return ClientKey(id=number, workspace=workspace, created_at=now, terms=terms)

    def client(self, secret: str) -> ClientKey | None:
        """The customer's key that a secret belongs to; None for keys of other kinds, too."""
        return self._one(keys.c.hash == hash_of(secret))

    def client_numbered(self, key: int) -> ClientKey | None:
        return self._one(keys.c.id == key)

    def clients(self, workspace: int) -> list[ClientKey]:
        """By id."""
        with self._database.read() as connection:
            rows = connection.execute(_clients(keys.c.workspace == workspace).order_by(keys.c.id)).all()
        return [_client(row) for row in rows]

    def change_client(self, key: int, change: Callable[[Terms], Terms]) -> ClientKey:
        """Read, change and write under a lock. Raises NotFound."""
        with self._database.write() as connection:
            found = _locked(connection, key)
            changed = msgspec.structs.replace(found, terms=change(found.terms))
            self._save(connection, changed)
        return changed

    def remove_client(self, key: int) -> None:
        """Forget the key; what its holder made stays. Raises NotFound."""
        with self._database.write() as connection:
            _locked(connection, key)
            delete_with_dependents(connection, keys, keys.c.id == key)

    def _save(self, connection: Connection, client: ClientKey) -> None:
        expiry = {"expires_at": client.terms.expires_at}
        connection.execute(update(keys).where(keys.c.id == client.id).values(expiry))
        connection.execute(self._database.upsert(client_terms), {"key": client.id, **_beside(client.terms)})

    def _one(self, condition: ColumnElement[bool]) -> ClientKey | None:
        with self._database.read() as connection:
            row = connection.execute(_clients(condition)).one_or_none()
        return None if row is None else _client(row)

    def _is_taken(self, secret: str) -> bool:
        with self._database.read() as connection:
            found = connection.execute(select(keys.c.id).where(keys.c.hash == hash_of(secret)))
            return found.one_or_none() is not None


def _beside(terms: Terms) -> dict[str, object]:
    """The terms that customers' keys alone have."""
    return {name: value for name, value in msgspec.structs.asdict(terms).items() if name != "expires_at"}


def _locked(connection: Connection, key: int) -> ClientKey:
    # Two statements: one would lock the key and give the terms as they were before it waited for the lock.
    connection.execute(select(keys.c.id).where(keys.c.id == key).with_for_update())
    row = connection.execute(_clients(keys.c.id == key)).one_or_none()
    if row is None:
        raise NotFound("there is no such key")
    return _client(row)


def _clients(condition: ColumnElement[bool]) -> Select[Any]:
    terms = [column for column in client_terms.c if column.name != "key"]
    joined = keys.outerjoin(client_terms, client_terms.c.key == keys.c.id)
    columns = (keys.c.id, keys.c.workspace, keys.c.created_at, keys.c.expires_at, keys.c.last_used_at, *terms)
    return select(*columns).select_from(joined).where(keys.c.kind == KeyKind.CLIENT.value, condition)


def _client(row: Row[Any]) -> ClientKey:
    values = row._asdict()
    known = values["domains_allowed"] is not None
    return ClientKey(
        id=row.id,
        workspace=row.workspace,
        created_at=row.created_at,
        terms=Terms(**{name: values[name] for name in _TERMS}) if known else Terms(expires_at=row.expires_at),
        last_used_at=row.last_used_at,
    )
