"""/keys of Mailvane's own interface: listed, made, given another term, revoked. Blocking. No secret is shown again.

A key of a workspace sees the keys of that workspace; the master those of all, or of the workspace that it names. Only
the master makes, changes or revokes them: a key that got into wrong hands must not make itself a successor.
"""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidFields, NotAllowed
from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import Key, KeyKind, Principal
from mailvane.server.tenants.services import TenantServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json
from mailvane.web.parameters import Moment, moment


class KeyObject(msgspec.Struct, frozen=True):
    """A key without its secret. Times are ISO 8601, UTC."""

    id: int
    kind: KeyKind
    workspace: int | None  # none: a platform key
    hint: str  # how its token begins
    created_at: str
    expires_at: str | None
    last_used_at: str | None  # to the minute


class NewKey(KeyObject, frozen=True):
    """With its secret, which is told this once."""

    token: str


class KeyCreation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which key is made."""

    kind: KeyKind
    workspace: int | None = None
    expires_at: Moment | None = None


class KeyExpiry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when it opens; null: until it is revoked."""

    expires_at: Moment | None


def keys(services: TenantServices, asked: Asked) -> list[KeyObject]:
    """By id. Raises InvalidInput."""
    is_master = asked.principal.kind is KeyKind.MASTER
    workspace = asked.principal.workspace if is_master else asked.workspace
    return [shown(one) for one in services.tenancy.keys(workspace)]


def create(services: TenantServices, asked: Asked) -> NewKey:
    """Raises NotAllowed, InvalidInput, NotFound."""
    require_master(asked.principal)
    given = read_json(KeyCreation, asked.body)
    issued = services.tenancy.create_key(given.kind, given.workspace, asked.now, _read(given.expires_at))
    return NewKey(**msgspec.structs.asdict(shown(issued.key)), token=issued.token)


def change(services: TenantServices, asked: Asked) -> KeyObject:
    """Raises NotAllowed, InvalidInput, NotFound."""
    key = _named(services, asked)
    expires_at = _read(read_json(KeyExpiry, asked.body).expires_at)
    return shown(services.tenancy.expire_key(key.id, expires_at, asked.now))


def revoke(services: TenantServices, asked: Asked) -> None:
    """Raises NotAllowed, NotFound."""
    services.tenancy.revoke_key(_named(services, asked).id)


def require_master(principal: Principal) -> None:
    """Raises NotAllowed."""
    if principal.kind is not KeyKind.MASTER:
        raise NotAllowed("only the master token may do this")


def shown(key: Key) -> KeyObject:
    """As it is told."""
    return KeyObject(
        id=key.id,
        kind=key.kind,
        workspace=key.workspace,
        hint=key.hint,
        created_at=iso_text(key.created_at),
        expires_at=None if key.expires_at is None else iso_text(key.expires_at),
        last_used_at=None if key.last_used_at is None else iso_text(key.last_used_at),
    )


def _named(services: TenantServices, asked: Asked) -> Key:
    require_master(asked.principal)
    text = asked.path["key"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidFields(("key", "a key is named by its id, a whole number"))
    return services.tenancy.key(int(text), asked.principal.workspace)


def _read(expires_at: Moment | None) -> int | None:
    return None if expires_at is None else moment("expires_at", expires_at)
