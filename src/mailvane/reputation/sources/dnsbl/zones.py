"""The dictionary of blocklists: what is shipped, with what the operator changed laid over it. Asks nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from mailvane.core.decoding import prepared
from mailvane.reputation.model import Zone


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zone: list[Zone]


@cache
def shipped() -> tuple[Zone, ...]:
    """What `zones.toml` says, by host."""
    text = resources.files(__package__).joinpath("zones.toml").read_text(encoding="utf-8")
    read = msgspec.convert(tomllib.loads(text), prepared(_Table))
    return tuple(sorted(read.zone, key=lambda zone: zone.host))


def dictionary(changed: Iterable[Zone] = ()) -> list[Zone]:
    """By host. A zone that was changed takes the place of the shipped one; others are added."""
    merged = {zone.host: zone for zone in (*shipped(), *changed)}
    return [merged[host] for host in sorted(merged)]


# Under which name a blocklist is asked about an address or domain (RFC 5782), and which are asked at all. Pure.
