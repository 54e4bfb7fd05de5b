"""TRAPS_IP: a watched address sent mail to a spam trap within a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.names import Addresses
from mailvane.alerts.rule import Rule
from mailvane.alerts.trap_hits import caught
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class TrapsIp(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "TRAPS_IP"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAP_HIT

    traps_ips: Addresses

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return caught(view, profile_id, self.traps_ips, "ip")
