"""What blocklists say about an address or domain. Values only; collectors ask the blocklists."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from mailvane.reputation.model import AssetKind, ZoneHealth

# Of a watched asset's details: how many blocklists gave a valid answer, and the hosts of those that did not.
ANSWERED, UNKNOWN = "rbl_answered", "rbl_unknown"


class Outcome(StrEnum):
    """Unknown is not no: what could not be asked is neither listed nor clear."""

    LISTED = "listed"
    CLEAR = "clear"
    UNKNOWN = "unknown"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one zone says about one name."""

    zone: str
    outcome: Outcome
    codes: tuple[str, ...] = ()  # the addresses that it answered with
    meaning: str = ""  # of the codes, by the dictionary
    reason: str = ""  # listed: in the zone's own words; unknown: why


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What all zones say about one name, and what DNS says about it besides."""

    kind: AssetKind
    name: str
    verdicts: tuple[Verdict, ...]
    details: Mapping[str, Any] = {}
    outcome: Outcome = Outcome.UNKNOWN  # listed by one, or else clear for one, or else nobody knows

    def of(self, outcome: Outcome) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.outcome is outcome]


class ListingCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Names that were looked up at once, and how the zones did that were asked."""

    findings: tuple[Findings, ...]
    zones: tuple[ZoneHealth, ...]

    @property
    def listed(self) -> bool:
        return any(found.of(Outcome.LISTED) for found in self.findings)

    @property
    def unknown(self) -> bool:
        """Whether there is a name that no zone gave a valid answer about."""
        return any(found.outcome is Outcome.UNKNOWN for found in self.findings)

    @property
    def doubtful(self) -> list[ZoneHealth]:
        """Zones that were asked although something about them is odd."""
        asked = {verdict.zone for found in self.findings for verdict in found.verdicts}
        return [zone for zone in self.zones if zone.usable and zone.reason and zone.host in asked]

    @property
    def unusable(self) -> list[ZoneHealth]:
        """Zones whose answers were not asked for, since they cannot be trusted or do not come."""
        return [zone for zone in self.zones if not zone.usable]
