"""What rules about numbers of Microsoft SNDS have in common: they tell of addresses, not of keys. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailvane.reputation.alerts.comparing import Comparison
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import record_of
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import ObservationKind


def numbered(view: View, comparison: Comparison, field: str, shown: Sequence[str]) -> Iterator[Match]:
    """The addresses whose newest record has a number for which the comparison holds."""
    numbers = view.numbers(ObservationKind.SNDS_DATA, field)
    span = comparison.within(numbers.values)
    for value, day in zip(numbers.values[span], numbers.observations[span], strict=True):
        yield Match(
            item={"ip": day.asset, "value": value},
            record=record_of(day, shown, "ip"),
            identity=(day.asset,),
            at=day.at,
        )
