"""SNDS_FILTER_RESULT: Microsoft's filter gave an address one of these colours."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from mailvane.alerts.names import Addresses, stands_for_all
from mailvane.alerts.rule import Rule, record_of, records
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class FilterResult(StrEnum):
    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class SndsFilterResult(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_FILTER_RESULT"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_ips: Addresses
    snds_filter_result: Annotated[tuple[FilterResult, ...], Meta(min_length=1)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - SNDS knows no profiles
        for day in records(view, self.READS, None if stands_for_all(self.snds_ips) else self.snds_ips):
            result = day.data.get("filter_result")
            if result in self.snds_filter_result:
                yield Match(
                    item={"ip": day.asset, "snds_filter_result": result},
                    record=record_of(day, ("filter_result", "recipients"), "ip"),
                    identity=(day.asset, str(result)),
                    at=day.at,
                )
