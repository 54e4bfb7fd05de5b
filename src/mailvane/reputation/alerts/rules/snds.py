"""Types about what Microsoft SNDS tells of addresses, day by day.

An address is of a profile when an SNDS key of that profile told of it, or when it is watched in that profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from mailvane.reputation.alerts.comparing import Amount, Comparison, Operator, Percentage
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import Addresses, Rule, one_comparison, record_of, records, stands_for_all
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import TOLD_BY, AssetKind, Observation, ObservationKind


def of_profile(view: View, profile_id: str | None) -> Callable[[Observation], bool]:
    """Whether an address is of an alert's profile: a key of the profile told of it, or it is watched there itself."""
    if profile_id is None:
        return lambda _day: True
    keys, watched = view.watched(AssetKind.SNDS, profile_id), view.watched(AssetKind.IP, profile_id)
    return lambda day: day.asset in watched or day.data.get(TOLD_BY) in keys


def numbered(
    view: View, profile_id: str | None, comparison: Comparison, field: str, shown: Sequence[str]
) -> Iterator[Match]:
    """The addresses of the profile whose newest record has a number for which the comparison holds."""
    is_meant = of_profile(view, profile_id)
    numbers = view.numbers(ObservationKind.SNDS_DATA, field)
    span = comparison.within(numbers.values)
    for value, day in zip(numbers.values[span], numbers.observations[span], strict=True):
        if not is_meant(day):
            continue
        yield Match(
            item={"ip": day.asset, "value": value},
            record=record_of(day, shown, "ip"),
            identity=(day.asset,),
            at=day.at,
        )


def _number(name: str, compared: type[Comparison], field: str, shown: tuple[str, ...]) -> type[Rule]:
    """A number of the newest record."""
    return one_comparison(
        name,
        ObservationKind.SNDS_DATA,
        compared,
        lambda view, profile, comparison: numbered(view, profile, comparison, field, shown),
    )


_SHOWN = ("complaint_rate", "complaint_rate_upper_bound")


class SndsComplaintRate(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_COMPLAINT_RATE"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_complaint_rate: Percentage

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        compared = self.snds_complaint_rate
        # Less than a bound is below the bound itself: those at the value are looked at, too.
        wide = replace(compared, operator=Operator.LTE) if compared.operator is Operator.LT else compared
        return (match for match in numbered(view, profile_id, wide, "complaint_rate", _SHOWN) if self._holds(match))

    def _holds(self, match: Match) -> bool:
        compared, rate = self.snds_complaint_rate, match.item["value"]
        if not match.record.get("complaint_rate_upper_bound"):
            return compared.holds(rate)
        if compared.operator in (Operator.GT, Operator.GTE):
            return compared.holds(0)
        return compared.operator is not Operator.EQ


class FilterResult(StrEnum):
    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class SndsFilterResult(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_FILTER_RESULT"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_ips: Addresses
    snds_filter_result: Annotated[tuple[FilterResult, ...], Meta(min_length=1)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        everything, is_meant = stands_for_all(self.snds_ips), of_profile(view, profile_id)
        for day in records(view, self.READS, None if everything else self.snds_ips):
            result = day.data.get("filter_result")
            is_named = not everything or day.asset in self.snds_ips
            if result in self.snds_filter_result and (is_named or is_meant(day)):
                yield Match(
                    item={"ip": day.asset, "snds_filter_result": result},
                    record=record_of(day, ("filter_result", "recipients"), "ip"),
                    identity=(day.asset, str(result)),
                    at=day.at,
                )


RULES = (
    _number("SNDS_BOUNCE_RATE", Percentage, "bounce_rate", ("rcpt_commands", "recipients", "bounce", "bounce_rate")),
    _number("SNDS_TRAP_HITS", Amount, "trap_hits", ("trap_hits", "trap_period_from", "trap_period_to")),
    SndsComplaintRate,
    SndsFilterResult,
)
