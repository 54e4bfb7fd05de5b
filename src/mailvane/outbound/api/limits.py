"""Limits of the operator for mailboxes, logins and domains, over HTTP: the master's alone. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidFields, NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.model import EVERY, LimitKind, SenderLimit
from mailvane.outbound.send_limits import MOST, LimitStanding
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

_Count = Annotated[int, Meta(ge=0, le=MOST)]


class WindowsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mails in each window (UTC); null or left out: no limit there."""

    hourly: _Count | None = None
    daily: _Count | None = None
    monthly: _Count | None = None


class LimitShape(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. The name `*` stands for all of the kind that have none of their own."""

    kind: LimitKind
    name: str
    hourly: int | None
    daily: int | None
    monthly: int | None


def listed(services: OutboundServices, asked: Asked) -> Sequence[LimitShape]:
    """Raises NotAllowed."""
    _require_master(asked)
    return [_shape(limit) for limit in services.send_limits.all()]


def show(services: OutboundServices, asked: Asked) -> LimitStanding:
    """Raises NotAllowed, NotFound, InvalidInput."""
    _require_master(asked)
    return services.send_limits.standing(*_named(asked), asked.now)


def put(services: OutboundServices, asked: Asked) -> LimitShape:
    """Raises NotAllowed, InvalidInput."""
    _require_master(asked)
    given = read_json(WindowsBody, asked.body)
    return _shape(services.send_limits.set(*_named(asked), msgspec.structs.asdict(given)))


def remove(services: OutboundServices, asked: Asked) -> None:
    """Raises NotAllowed, NotFound, InvalidInput."""
    _require_master(asked)
    services.send_limits.remove(*_named(asked))


def _named(asked: Asked) -> tuple[LimitKind, str]:
    try:
        return LimitKind(asked.path["kind"]), asked.path["name"]
    except ValueError:
        raise InvalidFields(("kind", f"expected one of {', '.join(LimitKind)}; all of a kind are {EVERY}")) from None


def _shape(limit: SenderLimit) -> LimitShape:
    return LimitShape(kind=limit.kind, name=limit.name, hourly=limit.hourly, daily=limit.daily, monthly=limit.monthly)


def _require_master(asked: Asked) -> None:
    if asked.principal.kind is not KeyKind.MASTER:
        raise NotAllowed("limits of the installation are the master token's")
