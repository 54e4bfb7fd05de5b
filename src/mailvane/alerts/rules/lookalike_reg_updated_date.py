"""LOOKALIKE_REG_UPDATED_DATE: a domain that imitates a brand was changed in its registry so long ago."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import Age
from mailvane.alerts.lookalikes import dated
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class LookalikeRegUpdatedDate(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "LOOKALIKE_REG_UPDATED_DATE"
    READS: ClassVar[ObservationKind] = ObservationKind.LOOKALIKE

    lookalike_reg_updated_date: Age

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return dated(view, profile_id, self.lookalike_reg_updated_date, "reg_updated_date")
