"""What rules about Google Postmaster Tools have in common: the words of its records. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from mailvane.reputation.model import Observation


class Reputation(StrEnum):
    REPUTATION_CATEGORY_UNSPECIFIED = "REPUTATION_CATEGORY_UNSPECIFIED"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    BAD = "BAD"


def addresses(day: Observation) -> Iterator[tuple[str, str]]:
    """Each address that a day's record names, behind its reputation."""
    for group in day.data.get("ipReputations") or ():
        for address in group.get("sampleIps") or ():
            yield str(group.get("reputation", "")), str(address)
