"""SNDS_TRAP_HITS: hits of spam traps of an address, by Microsoft."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.addresses import numbered
from mailvane.alerts.comparing import Amount
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class SndsTrapHits(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_TRAP_HITS"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_trap_hits: Amount

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - SNDS knows no profiles
        return numbered(view, self.snds_trap_hits, "trap_hits", ("trap_hits", "trap_period_from", "trap_period_to"))
