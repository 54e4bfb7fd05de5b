"""GP_SPF_SUCCESS_RATIO: the share of a domain's mail that passes SPF, by Google."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import Ratio
from mailvane.alerts.rule import Field, Rule, comparing
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import AssetKind, ObservationKind


class GpSpfSuccessRatio(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_SPF_SUCCESS_RATIO"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_spf_success_ratio: Ratio

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        share = Field(self.READS, AssetKind.GP_DOMAIN, "spfSuccessRatio", ("spfSuccessRatio",))
        return comparing(view, profile_id, self.gp_spf_success_ratio, share)
