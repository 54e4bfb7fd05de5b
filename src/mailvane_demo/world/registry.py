"""A registry of the simulated world: who registered which domain when, by RDAP (RFC 9083). It lists itself, too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mailvane_demo.world.incidents import Incidents
from mailvane_demo.world.web_server import Reply, Request, json

LIST_PATH = "/dns.json"
_DOMAIN_PATH = "/rdap/domain/"
_KIND = "application/rdap+json"
_DAY = 86_400_000
_OTHER_ENDINGS = (
    "com", "net", "org", "info", "biz", "co", "io", "app", "shop", "online", "site", "store", "xyz", "top", "live",
    "email", "support", "eu", "de", "uk",
)  # fmt: skip


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A domain that is somebody's."""

    name: str
    created: int
    changed: int
    registrar: str
    mails: bool = False  # whether it can be written to
    address: str = "203.0.113.80"
    name_servers: Sequence[str] = ("ns1.parkandearn.example", "ns2.parkandearn.example")


def lookalikes(brand: str, start: int, incidents: Incidents) -> tuple[Registration, ...]:
    """Of a brand's domain: two that have been there for long, and one that is taken during the demo."""
    label, _, ending = brand.partition(".")
    return (
        Registration(
            name=f"{label}s.{ending}", created=start - 900 * _DAY, changed=start - 170 * _DAY,
            registrar="Old Names Ltd.",
        ),
        Registration(
            name=f"{label}-shop.{ending}", created=start - 400 * _DAY, changed=start - 35 * _DAY,
            registrar="Park and Earn Inc.",
        ),
        Registration(
            name=f"{label}-login.{ending}", created=incidents.registered_at, changed=incidents.registered_at,
            registrar="Cheap Names Today", mails=True, address="203.0.113.66",
            name_servers=("ns1.cheapnames.example", "ns2.cheapnames.example"),
        ),
    )  # fmt: skip


class Registry:
    """Answers web requests."""

    def __init__(self, registered: Sequence[Registration]) -> None:
        self._registered = {each.name: each for each in registered}

    def __call__(self, request: Request) -> Reply:
        if request.path == LIST_PATH:
            base = f"http://{request.headers.get('host', '')}/rdap/"
            return json({"version": "1.0", "services": [[["example", *_OTHER_ENDINGS], [base]]]})
        found = self._registered.get(request.path.removeprefix(_DOMAIN_PATH).lower())
        if found is None or found.created > request.at:
            return json({"errorCode": 404, "title": "nobody has it"}, 404, _KIND)
        return json(_document(found, request.at), kind=_KIND)


def _document(told: Registration, now: int) -> dict[str, Any]:
    events = {
        "registration": told.created,
        "expiration": told.created + 1095 * _DAY,
        "last changed": told.changed,
        "last update of RDAP database": now,
    }
    abuse = _entity("abuse", [["email", {}, "text", f"abuse@{_host(told.registrar)}"]])
    registrar = _entity("registrar", [["fn", {}, "text", told.registrar]]) | {"entities": [abuse]}
    return {
        "objectClassName": "domain",
        "ldhName": told.name,
        "events": [{"eventAction": action, "eventDate": _stamp(at)} for action, at in events.items()],
        "entities": [registrar],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": name} for name in told.name_servers],
        "secureDNS": {"delegationSigned": False},
    }


def _entity(role: str, properties: list[list[Any]]) -> dict[str, Any]:
    card = ["vcard", [["version", {}, "text", "4.0"], *properties]]
    return {"objectClassName": "entity", "roles": [role], "vcardArray": card}


def _host(registrar: str) -> str:
    return "".join(each for each in registrar.lower() if each.isalpha()) + ".example"


def _stamp(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
