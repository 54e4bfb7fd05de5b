"""Which requests of images and links were made by machines: the table `machines.toml`. No rule lives in code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from functools import lru_cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import check_name

EVERY_LINK = "every-link"  # the verdict on a mail of which every link was followed at once
_LONGEST_AGENT = 500  # characters of a User-Agent that are looked at
_REMEMBERED = 8192

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table."""

    name: str
    source: str
    agent: str = ""
    networks: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    every_link_seconds: int
    least_links: int
    machine: tuple[Machine, ...]


class Click(msgspec.Struct, frozen=True):
    """One link of a mail that was followed."""

    at: int  # milliseconds
    place: int
    links: int


class _Row:
    def __init__(self, machine: Machine) -> None:
        self.name = machine.name
        self._agent = re.compile(machine.agent, re.IGNORECASE) if machine.agent else None
        self._networks: tuple[Network, ...] = tuple(ip_network(each) for each in machine.networks)

    def fits(self, agent: str, address: Address | None) -> bool:
        if self._agent is not None and self._agent.search(agent):
            return True
        return address is not None and any(address in network for network in self._networks)


class Machines:
    """The table, ready to be asked."""

    def __init__(self, table: _Table, but: Collection[str] = ()) -> None:
        """`but`: rows that are left out, by name: what they fetch counts as people do. Raises InvalidSetting."""
        for name in but:
            check_name(name, {each.name for each in table.machine}, "machine")
        self._rows = tuple(_Row(each) for each in table.machine if each.name not in but)
        self._every_link_ms = table.every_link_seconds * 1000
        self._least_links = table.least_links
        self.named = lru_cache(maxsize=_REMEMBERED)(self._named)

    def _named(self, agent: str, address: str) -> str:
        """The name of the row that fits a request; empty: a person, as far as anybody can say."""
        where, agent = _address(address), agent[:_LONGEST_AGENT].strip()
        return next((row.name for row in self._rows if row.fits(agent, where)), "")

    def followed_all(self, clicks: Iterable[Click]) -> bool:
        """Whether these clicks of one mail are those of a scanner: on every link, within seconds."""
        found = sorted(clicks, key=lambda click: click.at)
        if not found or found[0].links < self._least_links:
            return False
        early = [click for click in found if click.at - found[0].at <= self._every_link_ms]
        return len({click.place for click in early}) >= found[0].links


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def load_machines(but: Collection[str] = ()) -> Machines:
    """The table of this version. Raises InvalidSetting."""
    text = resources.files("mailvane.mailboxes.tracking").joinpath("machines.toml").read_text("utf-8")
    try:
        return Machines(msgspec.convert(tomllib.loads(text), prepared(_Table)), but)
    except InvalidSetting as error:
        raise InvalidSetting(f"mailboxes: not_machines: {error.message}") from None
