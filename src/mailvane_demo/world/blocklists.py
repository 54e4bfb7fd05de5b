"""The blocklists of the simulated world: those that tell the truth, and those that every real list of lists holds too.

What they know by which moment; a name server answers by it, and a dictionary can be made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from mailvane_demo.world.incidents import Incidents
from mailvane_demo.world.name_server import NOT_THERE, Told

_LISTED, _REFUSED = "127.0.0.2", "127.255.255.254"
_TEST_POINTS = {"ips": "2.0.0.127", "domains": "test"}
_ALWAYS = 1 << 62


class Temper(StrEnum):
    """How a blocklist answers."""

    TRUE = "true"
    DEAD = "dead"  # it never does
    WILDCARD = "wildcard"  # a new owner of its domain lists everything
    REFUSING = "refusing"  # it answers paying customers only


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who stands on a blocklist for a time."""

    name: str  # as it is asked for, before the zone
    reason: str
    since: int = 0
    until: int = _ALWAYS


class Blocklist(msgspec.Struct, frozen=True, kw_only=True):
    """One zone."""

    host: str
    lists: str = "ips"
    temper: Temper = Temper.TRUE
    high_reputation: bool = False
    meaning: str = ""
    listings: Sequence[Listing] = ()

    def answer(self, name: str, kind: str, at: int) -> Told | None:
        """To a name, without the zone; None when there is no answer."""
        if self.temper is Temper.DEAD:
            return None
        if self.temper is Temper.WILDCARD:
            return Told((_LISTED,) if kind == "A" else ())
        if self.temper is Temper.REFUSING:
            return Told((_REFUSED,) if kind == "A" else ())
        reason = self._reason(name, at)
        if reason is None:
            return NOT_THERE
        return Told({"A": (_LISTED,), "TXT": (reason,)}.get(kind, ()))

    def _reason(self, name: str, at: int) -> str | None:
        if name == _TEST_POINTS[self.lists]:
            return "the test point of this list"
        return next((one.reason for one in self.listings if one.name == name and one.since <= at < one.until), None)


def blocklists(relay: str, incidents: Incidents) -> tuple[Blocklist, ...]:
    """All there are in this world; the relay's address gets onto one of them."""
    backwards = ".".join(reversed(relay.split(".")))
    listing = Listing(
        name=backwards,
        reason=f"mails to our traps; see https://check.spamwatch.example/ip/{relay}",
        since=incidents.listed_from,
        until=incidents.listed_until,
    )
    return (
        Blocklist(
            host="bl.spamwatch.example",
            high_reputation=True,
            meaning="it sent mail to spam traps",
            listings=(listing,),
        ),
        Blocklist(host="dnsbl.honeyfarm.example", meaning="it harvested addresses"),
        Blocklist(host="uri.linkwatch.example", lists="domains", high_reputation=True, meaning="spam advertises it"),
        Blocklist(host="rbl.gonequiet.example", temper=Temper.DEAD),
        Blocklist(host="relays.oldtimer.example", temper=Temper.WILDCARD),
        Blocklist(host="members.blockhouse.example", temper=Temper.REFUSING),
    )
