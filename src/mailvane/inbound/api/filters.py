"""Filters over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.inbound.filter_words import words
from mailvane.inbound.filters import Filters, Wanted
from mailvane.inbound.model import AuditEntry, Filter, FilterAction
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json


class FilterObject(msgspec.Struct, frozen=True, kw_only=True):
    """A filter. The first active one that matches decides, by position."""

    id: str
    name: str
    action: str
    position: int  # from 1
    active: bool
    when: str  # its conditions, in words
    address: str | None  # id of the only address that it is for
    created_at: int


class FilterBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new filter; conditions are written as `mailvane filter add` takes them, such as `from ends_with @x.example`."""

    name: str
    action: FilterAction
    every: Sequence[str] = msgspec.field(name="if", default=())  # all must hold
    some: Sequence[str] = msgspec.field(name="if_any", default=())  # one of these must
    address: str | None = None  # the only one that it is for
    position: int = 0  # from 1; 0: behind all others
    active: bool = True


class FilterChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be otherwise; what is left out stays."""

    name: str | None = None
    active: bool | None = None
    position: int | None = None


def listed(services: InboundServices, asked: Asked) -> Sequence[FilterObject]:
    """In their order."""
    return [_shown(one) for one in _filters(services, asked).all()]


def create(services: InboundServices, asked: Asked) -> FilterObject:
    """Raises InvalidInput, NotFound."""
    given = read_json(FilterBody, asked.body)
    if not given.every and not given.some:
        raise InvalidInput("`if` or `if_any` is required: a filter without a condition matches nothing")
    _check_position(given.position, least=0)
    wanted = Wanted(
        name=given.name, action=given.action, every=given.every, some=given.some, address=given.address,
        position=given.position, active=given.active,
    )  # fmt: skip
    return _shown(_filters(services, asked).create(wanted))


def change(services: InboundServices, asked: Asked) -> FilterObject:
    """Raises InvalidInput, NotFound."""
    given = read_json(FilterChange, asked.body)
    filters, name = _filters(services, asked), asked.path["filter_id"]
    found = filters.one(name)
    if given.position is not None:
        _check_position(given.position, least=1)
    if given.name is not None:
        found = filters.rename(found.id, given.name)
    if given.active is not None:
        found = filters.switch(found.id, active=given.active)
    if given.position is not None:
        found = filters.move(found.id, given.position)
    return _shown(found)


def remove(services: InboundServices, asked: Asked) -> None:
    """Raises NotFound."""
    _filters(services, asked).remove(asked.path["filter_id"])


def _filters(services: InboundServices, asked: Asked) -> Filters:
    entry = AuditEntry(at=asked.now, actor=asked.by, action="filter", subject="")
    return Filters(services.stores, asked.workspace, entry)


def _check_position(position: int, least: int) -> None:
    if not least <= position < 2**31:
        raise InvalidInput(f"`position` is at least {least}")


def _shown(one: Filter) -> FilterObject:
    return FilterObject(
        id=one.id, name=one.name, action=one.action.value, position=one.position, active=one.active, when=words(one),
        address=one.address, created_at=one.created_at,
    )  # fmt: skip
