"""What rules about spam traps have in common: mail that traps received within a day. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.names import stands_for_all
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind


def caught(view: View, profile_id: str | None, given: Collection[str], field: str) -> Iterator[Match]:
    """The watched names that appear in a field of the day's hits."""
    watched = view.watched(AssetKind.TRAP, profile_id)
    label = f"traps_{field}"
    everything = stands_for_all(given)
    for name, hits in view.kept(("caught", field), lambda: _by_field(view, field)).items():
        if name in watched and (everything or name in given):
            yield Match(
                item={label: name, "value": len(hits)},
                record={label: name, "hits": [dict(hit.data) for hit in hits[-10:]]},
                identity=(name,),
                at=hits[-1].at,
            )


def _by_field(view: View, field: str) -> dict[str, Sequence[Observation]]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for hit in view.since(ObservationKind.TRAP_HIT, view.now - DAY_MS):
        if name := hit.data.get(field):
            found[str(name)].append(hit)
    return dict(found)
