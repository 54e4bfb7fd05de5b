"""Domains and logins on hold, over HTTP: the master's alone. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidFields, NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.holds import Hold, HoldKind
from mailvane.outbound.postfix_queue import how_to_release
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json


class HoldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, for people."""

    note: str = ""


class HoldReleased(msgspec.Struct, frozen=True, kw_only=True):
    """New mail passes; what the mail server holds is let go by this command, on its machine."""

    kind: HoldKind
    name: str
    command: str


def listed(services: OutboundServices, asked: Asked) -> Sequence[Hold]:
    """By kind and name. Raises NotAllowed."""
    _require_master(asked)
    return services.holds.all()


def put(services: OutboundServices, asked: Asked) -> Hold:
    """Raises NotAllowed, InvalidInput."""
    _require_master(asked)
    given = read_json(HoldBody, asked.body)
    return services.holds.hold(*_named(asked), asked.by, asked.now, given.note)


def release(services: OutboundServices, asked: Asked) -> HoldReleased:
    """Raises NotAllowed, NotFound, InvalidInput."""
    _require_master(asked)
    kind, name = _named(asked)
    found = services.holds.release(kind, name)
    return HoldReleased(kind=kind, name=found, command=how_to_release(kind, found))


def _named(asked: Asked) -> tuple[HoldKind, str]:
    try:
        return HoldKind(asked.path["kind"]), asked.path["name"]
    except ValueError:
        raise InvalidFields(("kind", f"expected one of {', '.join(HoldKind)}")) from None


def _require_master(asked: Asked) -> None:
    if asked.principal.kind is not KeyKind.MASTER:
        raise NotAllowed("holds are the master token's")
