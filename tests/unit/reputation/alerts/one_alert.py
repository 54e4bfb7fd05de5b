"""One alert through time, and what sources said: for the tests of the engine."""

from __future__ import annotations

from typing import Any

from mailvane.core.moments import HOUR_MS
from mailvane.reputation.alerts.engine import Evaluation, evaluate
from mailvane.reputation.alerts.model import Alert, AlertState
from mailvane.reputation.alerts.view import View, Watched
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind

NOW = 1_790_000_000_000
STALE = 48 * HOUR_MS
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}
SPAMMY = {"type": "GP_USER_REPORTED_SPAM_RATIO", "gp_user_reported_spam_ratio": {"value": 0.1, "operator": "gt"}}
WATCHED = Watched(
    tuple(
        Asset(id=name, workspace=1, kind=kind, name=name, created_at=0)
        for kind, name in [
            *((AssetKind.IP, f"192.0.2.{n}") for n in range(1, 5)),
            (AssetKind.GP_DOMAIN, "a.example"),
        ]
    )
)


def alert(*rules: dict[str, Any], formula: str | None = None) -> Alert:
    return Alert(id="a" * 24, workspace=1, name="x", created_at=0, updated_at=0, rules=rules, formula=formula)


def listing(last: int, at: int, listed: bool = True) -> Observation:
    name = f"192.0.2.{last}"
    return Observation(
        kind=ObservationKind.IP_LISTING, asset=name, key="bl.example", at=at, seen_at=at, confirmed_at=NOW * 2,
        data={"listed": listed},
    )  # fmt: skip


def spam(at: int, share: float = 0.2) -> Observation:
    return Observation(
        kind=ObservationKind.TRAFFIC, asset="a.example", at=at, seen_at=at, data={"userReportedSpamRatio": share}
    )


class Watch:
    """One alert through time."""

    def __init__(self, of: Alert) -> None:
        self.of = of
        self.state = AlertState(alert_id=of.id)

    def look(self, hours: float, *said: Observation) -> Evaluation:
        found = evaluate(self.of, View(said, WATCHED, NOW + int(hours * HOUR_MS), STALE), self.state)
        self.state = found.state
        return found

    def items(self, hours: float, *said: Observation) -> list[list[str]]:
        """What is said: for each rule the addresses or domains."""
        fired = self.look(hours, *said).fired
        return [[str(item.get("ip") or item.get("domain")) for item in rule.matchings["items"]] for rule in fired]


BOTH = alert({**LISTED, "key": "l"}, {**SPAMMY, "key": "s"}, formula="l AND s")
