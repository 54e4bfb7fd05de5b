"""A server that speaks RDAP as registries do, with the list of servers that IANA would give."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.unit.reputation.sources.vendor_server import Asked, Said, VendorServer


class Registry:
    """`domains` maps a name to what is answered: a document, or something else to say."""

    def __init__(self, domains: dict[str, Any] | None = None) -> None:
        self.domains = domains or {}
        self.lists = 0
        self.endings = ["example", "com"]
        self.server = VendorServer(self.answer)

    @property
    def asked(self) -> list[str]:
        return [asked.path.rpartition("/")[2] for asked in self.server.asked if "/domain/" in asked.path]

    @property
    def bootstrap(self) -> str:
        return f"{self.server.url}/dns.json"

    def answer(self, asked: Asked) -> Said:
        if asked.path == "/dns.json":
            self.lists += 1
            return self.json({"services": [[self.endings, [f"{self.server.url}/rdap/"]]]})
        told = self.domains.get(asked.path.rpartition("/")[2])
        if isinstance(told, Said):
            return told
        return Said(status=404) if told is None else self.json(told)

    @staticmethod
    def json(told: Any) -> Said:
        return Said(msgspec.json.encode(told), headers={"Content-Type": "application/rdap+json"})


def document(name: str, created: str = "2026-11-20T10:00:00Z", updated: str = "") -> dict[str, Any]:
    """As a registry with a registrar answers."""
    events = [
        {"eventAction": "registration", "eventDate": created},
        {"eventAction": "expiration", "eventDate": "2027-11-20T10:00:00Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-11-21T11:59:00Z"},
    ]
    if updated:
        events.append({"eventAction": "last changed", "eventDate": updated})
    abuse = {
        "objectClassName": "entity",
        "roles": ["abuse"],
        "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["email", {}, "text", "abuse@names.example"]]],
    }
    registrar = {
        "objectClassName": "entity",
        "roles": ["registrar"],
        "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Names  Inc."]]],
        "entities": [abuse],
    }
    return {
        "objectClassName": "domain",
        "ldhName": name.upper(),
        "events": events,
        "entities": [registrar],
        "secureDNS": {"delegationSigned": False},
    }
