"""What this server tells of itself: that something began to hold, and that it is over. As observations, so that alerts
are evaluated and tried out over them as over what outside sources say.

Who finds out what holds is not known here: the rooms that have it hand it to the server, and it comes as `Holding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from mailvane.reputation.model import Observation, ObservationKind
from mailvane.reputation.store.observations import ObservationStore


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Something holds now, and has since a moment."""

    workspace: int
    kind: ObservationKind
    asset: str
    since: int
    why: str = ""


_Identity = tuple[int, ObservationKind, str]


class Spells:
    """Of those that `is_ours` names by kind and asset; of others somebody else tells. Not for several threads."""

    def __init__(
        self, observations: ObservationStore, is_ours: Callable[[ObservationKind, str], bool] = lambda *_: True
    ) -> None:
        self._observations = observations
        self._is_ours = is_ours
        self._open: dict[_Identity, Observation] = {}
        self._known: set[int] = set()

    def recall(self, workspaces: Iterable[int], kinds: Iterable[ObservationKind]) -> None:
        """What was open when the last process told of these kinds, of workspaces that were not recalled before."""
        wanted = sorted(kinds)
        for workspace in set(workspaces) - self._known:
            for one in self._observations.latest(workspace, wanted):
                if one.data.get("holds") and self._is_ours(one.kind, one.asset):
                    self._open[workspace, one.kind, one.asset] = one
            self._known.add(workspace)

    def settle(
        self,
        holding: Iterable[Holding],
        now: int,
        ending: Callable[[int, Observation], Mapping[str, Any]] = lambda *_: {},
    ) -> int:
        """Keep what began, and end what is open and holds no more; how many of both. `since` moved: it began anew.

        `ending`: what is told of the end beside that, of a workspace, by what was told of the beginning.
        """
        found = {(one.workspace, one.kind, one.asset): one for one in holding if self._is_ours(one.kind, one.asset)}
        ended = [identity for identity in self._open if identity not in found]
        begun = {
            identity: _observed(one, now)
            for identity, one in found.items()
            if identity not in self._open or self._open[identity].data["since"] < one.since
        }
        changes: dict[int, list[Observation]] = {}
        for workspace, kind, asset in ended:
            told = {"holds": False, **ending(workspace, self._open[workspace, kind, asset])}
            over = Observation(kind=kind, asset=asset, at=now, seen_at=now, data=told)
            changes.setdefault(workspace, []).append(over)
        for (workspace, _, _), one in begun.items():
            changes.setdefault(workspace, []).append(one)
        for workspace, observations in changes.items():
            self._observations.observe(workspace, observations)
        for identity in ended:
            del self._open[identity]
        self._open |= begun
        return len(ended) + len(begun)

    def since(self, workspace: int, kind: ObservationKind, asset: str) -> int | None:
        """Since when it holds by what is kept; None: it does not."""
        one = self._open.get((workspace, kind, asset))
        return None if one is None else int(one.data["since"])


def _observed(one: Holding, now: int) -> Observation:
    data = {"holds": True, "since": one.since, "why": one.why[:500]}
    return Observation(kind=one.kind, asset=one.asset, at=now, seen_at=now, data=data)
