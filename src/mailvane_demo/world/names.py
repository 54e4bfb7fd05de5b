"""What DNS says in the simulated world: of its blocklists, its mail servers and senders, and registered names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailvane_demo.world.blocklists import Blocklist
from mailvane_demo.world.name_server import NOT_THERE, Told
from mailvane_demo.world.registry import Registration

Records = Mapping[tuple[str, str], Sequence[str]]
"""Texts by name and kind."""


class Names:
    """Answers a name server's questions."""

    def __init__(self, zones: Sequence[Blocklist], records: Records, registered: Sequence[Registration] = ()) -> None:
        self._zones = {zone.host: zone for zone in zones}
        self._records = records
        self._known = {name for name, _ in records}
        self._registered = {each.name: each for each in registered}

    def __call__(self, name: str, kind: str, at: int) -> Told | None:
        for host, zone in self._zones.items():
            if name.endswith(f".{host}"):
                return zone.answer(name.removesuffix(f".{host}"), kind, at)
        registered = self._registered.get(name)
        if registered is not None and registered.created <= at:
            return Told(_of(registered).get(kind, ()))
        return Told(self._records.get((name, kind), ())) if name in self._known else NOT_THERE


def _of(registered: Registration) -> Mapping[str, Sequence[str]]:
    told: dict[str, Sequence[str]] = {"NS": registered.name_servers, "A": (registered.address,)}
    return told | ({"MX": (f"mail.{registered.name}",)} if registered.mails else {})


def relay_records(hosts: Mapping[str, str]) -> dict[tuple[str, str], Sequence[str]]:
    """Of mail servers, by name, whose addresses lead back to them."""
    records: dict[tuple[str, str], Sequence[str]] = {}
    for name, address in hosts.items():
        records[name, "A"] = (address,)
        records[".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR"] = (name,)
    return records


def sender_records(domain: str, spf: str, policy: str) -> dict[tuple[str, str], Sequence[str]]:
    """Of a domain that sends mail."""
    return {
        (domain, "NS"): ("ns1.nameco.example", "ns2.nameco.example"),
        (domain, "MX"): ("mx1.mailhub.example",),
        (domain, "TXT"): (f"v=spf1 {spf} -all",),
        (f"_dmarc.{domain}", "TXT"): (f"v=DMARC1; p={policy}; rua=mailto:reports@mailhub.example",),
    }
