"""TRAPS_DOMAIN_FROM: a watched domain sent mail to a spam trap within a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.names import DomainNames
from mailvane.alerts.rule import Rule
from mailvane.alerts.trap_hits import caught
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class TrapsDomainFrom(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "TRAPS_DOMAIN_FROM"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAP_HIT

    traps_domains_from: DomainNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return caught(view, profile_id, self.traps_domains_from, "domain_from")
