"""What rules may look at, at one moment: what is known of a workspace's assets and not out of date.

Built once for all alerts of a workspace, so what several rules need is sorted and compared once. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.maillog.figure_questions import Figure
from mailvane.reputation.alerts.mail_questions import Ask, MailQuestion, PastHours, moment_of, nobody
from mailvane.reputation.model import TOLD_HERE, Asset, AssetKind, Observation, ObservationKind

_T = TypeVar("_T")

# What is true until it is said otherwise must have been confirmed lately.
STATES = frozenset({ObservationKind.IP_LISTING, ObservationKind.DOMAIN_LISTING, ObservationKind.LOOKALIKE})
# Data of a day come late: Google's and Microsoft's two days after it.
DATED = frozenset({ObservationKind.TRAFFIC, ObservationKind.SNDS_DATA, ObservationKind.SNDS_STATUS})
_LATE_MS = 4 * DAY_MS
# Counted over a stretch of time; the longest that a rule counts over.
COUNTED = frozenset(
    {
        ObservationKind.DMARC,
        ObservationKind.TLS,
        ObservationKind.SENDER,
        ObservationKind.TRAP_HIT,
        ObservationKind.HONEYTOKEN_HIT,
    }
)
LONGEST_MS = 30 * DAY_MS


class Watched(msgspec.Struct, frozen=True):
    """The assets of a workspace, the blocklists of high reputation, and who answers for its mail log."""

    assets: Sequence[Asset] = ()
    high_reputation: frozenset[str] = frozenset()
    ask: Ask = nobody


class Numbers(msgspec.Struct, frozen=True):
    """The observations that have a number, with it, in ascending order."""

    values: Sequence[float]
    observations: Sequence[Observation]


class View:
    """Of one workspace, at one moment."""

    def __init__(self, observations: Iterable[Observation], watched: Watched, now: int, stale_ms: int) -> None:
        self.now = now
        self.high_reputation = watched.high_reputation
        self._ask = watched.ask
        self._details = {(asset.kind, asset.name): asset.details for asset in watched.assets if asset.details}
        self._names: dict[tuple[AssetKind, str | None], set[str]] = defaultdict(set)
        for asset in watched.assets:
            if asset.verified:
                self._names[asset.kind, None].add(asset.name)
                if asset.profile_id is not None:
                    self._names[asset.kind, asset.profile_id].add(asset.name)
        self._known: dict[ObservationKind, list[Observation]] = defaultdict(list)
        for observation in observations:
            if _is_credible(observation, now, stale_ms):
                self._known[observation.kind].append(observation)
        self._kept: dict[object, Any] = {}

    def watched(self, kind: AssetKind, profile_id: str | None) -> Collection[str]:
        """The names of what is watched; with a profile, of that one."""
        return self._names.get((kind, profile_id), set())

    def details(self, kind: AssetKind, name: str) -> Mapping[str, Any]:
        """What is known of an asset besides observations; what people said of it, too."""
        return self._details.get((kind, name), {})

    def known(self, kind: ObservationKind) -> Sequence[Observation]:
        """Of states and days, the newest of each; of what is counted, all."""
        return self._known.get(kind, ())

    def about(self, kind: ObservationKind) -> Mapping[str, Sequence[Observation]]:
        """The same by asset."""
        return self.kept(("about", kind), lambda: _by_asset(self.known(kind)))

    def numbers(self, kind: ObservationKind, field: str) -> Numbers:
        """Those whose data have a number of that name."""
        return self.kept(("numbers", kind, field), lambda: _numbers(self.known(kind), field))

    def since(self, kind: ObservationKind, moment: int) -> Sequence[Observation]:
        """What tells of a time after a moment, oldest first."""
        ordered = self.kept(("ordered", kind), lambda: sorted(self.known(kind), key=lambda one: one.at))
        return ordered[bisect_left(ordered, moment + 1, key=lambda one: one.at) :]

    def asked(self, question: MailQuestion) -> tuple[int, Sequence[Figure | PastHours]]:
        """The newest moment that the mail log can tell of, and its answer. Raises StoreUnavailable."""
        moment = moment_of(question, self.now)
        answers = self.kept(("asked", question), lambda: self._ask(question, moment, moment))
        return moment, answers.get(moment, ())

    def kept(self, key: object, make: Callable[[], _T]) -> _T:
        """What was made under this key before, or is made now."""
        if key not in self._kept:
            self._kept[key] = make()
        found: _T = self._kept[key]
        return found


def _is_credible(observation: Observation, now: int, stale_ms: int) -> bool:
    if observation.seen_at > now:
        return False
    if observation.kind in TOLD_HERE:
        return True
    if observation.kind in STATES:
        confirmed = max(observation.confirmed_at, observation.seen_at)
        return confirmed >= now - stale_ms
    if observation.kind in DATED:
        return observation.at >= now - stale_ms - _LATE_MS
    return observation.at > now - LONGEST_MS


def _by_asset(observations: Iterable[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for observation in observations:
        found[observation.asset].append(observation)
    return found


def _numbers(observations: Iterable[Observation], field: str) -> Numbers:
    found = [
        (float(value), observation)
        for observation in observations
        if isinstance(value := observation.data.get(field), int | float) and not isinstance(value, bool)
    ]
    found.sort(key=lambda pair: pair[0])
    return Numbers([value for value, _ in found], [observation for _, observation in found])
