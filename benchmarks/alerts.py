"""Ten thousand alerts over a hundred thousand observations, and a year's backtest of one alert.

    python benchmarks/alerts.py [--alerts 10000] [--observations 100000] [--rounds 5]

The alerts are of all rule types, with thresholds, lists and joined rules as users write them; the observations are
spread over all kinds. Measured is one round of evaluating all alerts against the view of one moment, the first time,
when every one that matches freezes its evidence, and again, when there is no news. Reading the ledger is apart.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.reputation.alerts.backtest import backtest
from mailvane.reputation.alerts.engine import evaluate
from mailvane.reputation.alerts.model import Alert, AlertState
from mailvane.reputation.alerts.view import View, Watched
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.server.ledger import open_ledger

NOW = 1_790_000_000_000
STALE = 48 * HOUR_MS
ZONES = [f"bl{number}.example" for number in range(40)]
RATIOS = {
    "GP_USER_REPORTED_SPAM_RATIO": "userReportedSpamRatio",
    "GP_SPF_SUCCESS_RATIO": "spfSuccessRatio",
    "GP_DKIM_SUCCESS_RATIO": "dkimSuccessRatio",
    "GP_DMARC_SUCCESS_RATIO": "dmarcSuccessRatio",
}
FAILURES = ("spf_fail", "dkim_fail", "dmarc_fail", "spf_alignment_fail", "dkim_alignment_fail")


def addresses(count: int) -> list[str]:
    return [f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(count)]


def observations(count: int, dice: random.Random) -> Iterator[Observation]:
    """A fifth each of listings, Postmaster days, SNDS days, DMARC reports and lookalikes."""
    share = count // 5
    for number, name in enumerate(addresses(share)):
        yield _said(ObservationKind.IP_LISTING, name, ZONES[number % 40], {"listed": dice.random() < 0.02})
    for number in range(share):
        shares = {field: dice.random() for field in RATIOS.values()}
        yield _said(ObservationKind.TRAFFIC, f"d{number}.example", "", shares)
    for name in addresses(share):
        colour = dice.choice(("GREEN", "YELLOW", "RED"))
        yield _said(ObservationKind.SNDS_DATA, name, "", {"filter_result": colour, "bounce_rate": 100 * dice.random()})
    for number in range(share):
        counts = {"messages": 100, **{field: int(20 * dice.random()) for field in FAILURES}}
        yield _said(ObservationKind.DMARC, f"d{number % 2000}.example", f"r{number}", counts)
    for number in range(share):
        dates = {"reg_created_date": NOW - int(dice.random() * 900 * DAY_MS), "state": "UNCLASSIFIED"}
        yield _said(ObservationKind.LOOKALIKE, f"d{number % 200}.example", f"l{number}.example", dates)


def _said(kind: ObservationKind, asset: str, key: str, data: dict[str, Any]) -> Observation:
    return Observation(
        kind=kind, asset=asset, key=key, at=NOW - HOUR_MS, seen_at=NOW - HOUR_MS, confirmed_at=NOW - HOUR_MS, data=data
    )


def rules(dice: random.Random, share: int) -> dict[str, Any]:
    """One rule as a user writes it: some ask for everything, most for little."""
    kind = dice.choice(
        ["IP_IN_RBL", "IP_IN_RBL", *RATIOS, "SNDS_BOUNCE_RATE", "SNDS_FILTER_RESULT", "DMARC", "LOOKALIKE"]
    )
    if kind == "IP_IN_RBL":
        names = dice.sample(addresses(share), 20) if dice.random() < 0.7 else ["ALL_IPS"]
        return {"type": kind, "ips": names, "rbls": dice.sample(ZONES, 3)}
    if kind == "SNDS_BOUNCE_RATE":
        return {"type": kind, "snds_bounce_rate": {"value": round(95 + 5 * dice.random(), 2), "operator": "gt"}}
    if kind == "SNDS_FILTER_RESULT":
        return {"type": kind, "snds_ips": dice.sample(addresses(share), 20), "snds_filter_result": ["RED"]}
    if kind == "DMARC":
        name = f"dmarc_{dice.choice(FAILURES)}"
        amount = {"value": dice.randrange(150, 200), "operator": "gt", "time_range": "ONE_DAY"}
        return {"type": name.upper(), name: amount}
    if kind == "LOOKALIKE":
        return {
            "type": "LOOKALIKE_REG_CREATED_DATE",
            "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"},
        }
    return {"type": kind, kind.lower(): {"value": round(0.99 + 0.01 * dice.random(), 4), "operator": "gt"}}


def alerts(count: int, dice: random.Random, share: int) -> list[Alert]:
    made = []
    for number in range(count):
        parts, formula = [rules(dice, share)], None
        if number % 20 == 0:
            parts = [{**parts[0], "key": "a"}, {**rules(dice, share), "key": "b"}]
            formula = "a AND b"
        made.append(
            Alert(
                id=f"{number:024x}",
                workspace=1,
                name="x",
                created_at=0,
                updated_at=0,
                rules=tuple(parts),
                formula=formula,
            )
        )
    return made


def watched(share: int) -> Watched:
    kinds = (AssetKind.GP_DOMAIN, AssetKind.DMARC, AssetKind.LOOKALIKE)
    names = [(AssetKind.IP, name) for name in addresses(share)]
    names += [(kind, f"d{number}.example") for kind in kinds for number in range(share)]
    assets = [Asset(id=str(n), workspace=1, kind=kind, name=name, created_at=0) for n, (kind, name) in enumerate(names)]
    return Watched(assets, frozenset(ZONES[:10]))


def timed(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--alerts", type=int, default=10_000)
    arguments.add_argument("--observations", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    dice = random.Random(1)
    share = chosen.observations // 5
    said, told = list(observations(chosen.observations, dice)), watched(share)
    defined = alerts(chosen.alerts, dice, share)

    def evaluated(memories: dict[str, AlertState]) -> dict[str, AlertState]:
        view = View(said, told, NOW, STALE)
        found = {
            alert.id: evaluate(alert, view, memories.get(alert.id, AlertState(alert_id=alert.id))) for alert in defined
        }
        fired.append(sum(bool(one.fired) for one in found.values()))
        return {name: one.state for name, one in found.items()}

    fired: list[int] = []
    first = timed(lambda: evaluated({}), chosen.rounds)
    memories = evaluated({})
    again = timed(lambda: evaluated(memories), chosen.rounds)
    print(f"{chosen.alerts:,} alerts, {chosen.observations:,} observations; {fired[0]:,} fire, then {fired[-1]:,}")
    print(f"evaluated the first time     {first:6.2f} s")
    print(f"evaluated again, no news     {again:6.2f} s   (goal: 2)")
    with tempfile.TemporaryDirectory() as place:
        ledger = open_ledger(f"sqlite:///{Path(place) / 'ledger.sqlite'}")
        workspace = ledger.tenants.add_workspace("one", NOW).id
        ledger.observations.observe(workspace, said)
        read = timed(lambda: ledger.observations.latest(workspace, tuple(ObservationKind)), chosen.rounds)
        ledger.close()
    print(f"read from the ledger         {read:6.2f} s")
    history = a_year()
    backtested = timed(lambda: replayed(history, told), chosen.rounds)
    print(f"a year's backtest            {backtested:6.2f} s   (goal: 1) of {len(history):,} observations")


def a_year() -> list[Observation]:
    """A hundred addresses on forty lists: each is listed now and then for some days."""
    dice = random.Random(2)
    history = []
    for name in addresses(100):
        for zone in ZONES:
            at = NOW - 365 * DAY_MS
            while (at := at + int(dice.expovariate(1 / (120 * DAY_MS)))) < NOW:
                ends = at + int(dice.expovariate(1 / (3 * DAY_MS)))
                history.append(_listing(name, zone, at, ends, listed=True))
                history.append(_listing(name, zone, ends, ends, listed=False))
                at = ends
    return history


def replayed(history: list[Observation], told: Watched) -> None:
    """One alert over the year."""
    alert = Alert(
        id="a", workspace=1, name="x", created_at=0, updated_at=0,
        rules=({"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]},),
    )  # fmt: skip
    hundred = set(addresses(100))
    few = Watched([asset for asset in told.assets if asset.name in hundred], told.high_reputation)
    found = backtest(alert, history, few, (NOW - 365 * DAY_MS, NOW), STALE)
    if not found.firings:
        raise SystemExit("the year was silent")


def _listing(name: str, zone: str, at: int, confirmed: int, *, listed: bool) -> Observation:
    """Sources are asked once a day: what happened was seen at the next full day."""
    seen = -(-at // DAY_MS) * DAY_MS
    return Observation(
        kind=ObservationKind.IP_LISTING, asset=name, key=zone, at=at, seen_at=seen, confirmed_at=max(seen, confirmed),
        data={"listed": listed},
    )  # fmt: skip


if __name__ == "__main__":
    main()
