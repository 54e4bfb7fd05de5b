"""SNDS_BOUNCE_RATE: bounced mail in percent of an address, by Microsoft."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.addresses import numbered
from mailvane.alerts.comparing import Percentage
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class SndsBounceRate(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_BOUNCE_RATE"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_bounce_rate: Percentage

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - SNDS knows no profiles
        return numbered(
            view, self.snds_bounce_rate, "bounce_rate", ("rcpt_commands", "recipients", "bounce", "bounce_rate")
        )
