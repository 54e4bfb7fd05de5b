"""Which service sent: by the domains that a row of a report names, or by the name of an address. Pure.

A signature or an envelope says nothing unless it passed: anybody can write somebody else's domain.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from mailvane.core.decoding import prepared

LONGEST_ID = 64


class SendingService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service, and what its mail is known by. Domains stand for those below them, too."""

    id: str
    name: str
    source: str  # URL
    spf: tuple[str, ...] = ()
    ptr: tuple[str, ...] = ()
    dkim: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[SendingService, ...]


@lru_cache(maxsize=1)
def sending_services() -> Mapping[str, SendingService]:
    """By id."""
    text = resources.files("mailvane.dmarc").joinpath("sending_services.toml").read_text(encoding="utf-8")
    return {each.id: each for each in msgspec.convert(tomllib.loads(text), prepared(_File)).services}


def name_of_service(service: str) -> str:
    """One that is not in the file any more is shown by its id."""
    known = sending_services().get(service)
    return known.name if known is not None else service or "unknown"


def service_of_row(row: Mapping[str, Any]) -> str:
    """The id of the service that a row's signatures or envelope tell of; "" when they tell of none.

    The signature counts first: what is forwarded keeps it, and gets another envelope.
    """
    signed = (each.get("domain") for each in _passed(row.get("dkim")))
    enveloped = (each.get("domain") for each in _passed(row.get("spf")))
    for domain in (*signed, *enveloped):
        if isinstance(domain, str) and (found := _by_domain().get(_known_end(domain, _by_domain()))):
            return found
    return ""


def service_of_name(name: str) -> str:
    """The id of the service that the host name of an address belongs to; "" when it is none's."""
    return _by_name().get(_known_end(name, _by_name()), "")


def _passed(results: object) -> Iterable[Mapping[str, Any]]:
    listed = results if isinstance(results, list | tuple) else ()
    return (each for each in listed if isinstance(each, Mapping) and each.get("result") == "pass")


def _known_end(name: str, known: Mapping[str, str]) -> str:
    """The longest of the known domains that a name is, or is below; "" for none."""
    rest = name.strip().rstrip(".").lower()
    while rest and rest not in known:
        rest = rest.partition(".")[2]
    return rest


@lru_cache(maxsize=1)
def _by_domain() -> Mapping[str, str]:
    return {domain: each.id for each in sending_services().values() for domain in each.dkim}


@lru_cache(maxsize=1)
def _by_name() -> Mapping[str, str]:
    return {domain: each.id for each in sending_services().values() for domain in each.ptr}
