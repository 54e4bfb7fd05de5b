"""Every rule type, by the cases in `tests/rules/alerts`: one file for each, named after the type.

A case: the rule's configuration, what is watched by kind, what sources said, and the items that match. `ago` is in
hours; an observation was seen and confirmed when it tells of, unless it says otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailvane.core.moments import MINUTE_MS
from mailvane.maillog.figure_questions import Figure
from mailvane.reputation.alerts.mail_questions import Answers, Ask, MailQuestion, PastHours
from mailvane.reputation.alerts.rules import CATALOGUE, read_rule
from mailvane.reputation.alerts.view import View, Watched
from mailvane.reputation.model import Asset, AssetKind, Observation
from tests.tables import read_table

CASES = Path(__file__).parents[3] / "rules" / "alerts"
NOW = 1_790_000_000_000
HOUR = 3_600_000
STALE = 48 * HOUR


def found_cases() -> list[Any]:
    cases = []
    for path in sorted(CASES.glob("*.yaml")):
        for case in read_table(path):
            ((name, told),) = case.items()
            cases.append(pytest.param(path.stem, told, id=f"{path.stem}: {name}"))
    return cases


def assets(told: dict[str, list[Any]]) -> list[Asset]:
    found = []
    for kind, names in told.items():
        for number, name in enumerate(names):
            more = name if isinstance(name, dict) else {"name": name}
            found.append(Asset(id=f"{kind}{number}", workspace=1, kind=AssetKind(kind), created_at=0, **more))
    return found


def observation(kind: Any, told: dict[str, Any]) -> Observation:
    at = NOW - int(told.get("ago", 1) * HOUR)
    confirmed = NOW - int(told["confirmed_ago"] * HOUR) if "confirmed_ago" in told else at
    data = {
        name: NOW - int(value["ago"] * HOUR) if isinstance(value, dict) and set(value) == {"ago"} else value
        for name, value in told.get("data", {}).items()
    }
    return Observation(
        kind=kind, asset=told["asset"], key=str(told.get("key", "")), at=at, seen_at=at, confirmed_at=confirmed,
        data=data,
    )  # fmt: skip


def answering(told: list[dict[str, Any]]) -> Ask:
    """A mail log that answers so at the newest moment; `oldest` is in minutes before it."""

    def ask(_question: MailQuestion, first: int, _last: int) -> Answers:
        if told and "before" in told[0]:
            return {first: [PastHours(first - HOUR, one["count"], tuple(one["before"])) for one in told]}
        return {first: [Figure(first, **{**one, "oldest": first - one.get("oldest", 0) * MINUTE_MS}) for one in told]}

    return ask


@pytest.mark.parametrize(("name", "case"), found_cases())
def test_a_rule_matches_what_its_cases_say(name: str, case: dict[str, Any]) -> None:
    rule = read_rule({"type": name, **case["rule"]}, "rules[0]")
    said = [observation(rule.READS, told) for told in case.get("said", [])]
    watched = Watched(
        assets(case.get("watched", {})), frozenset(case.get("high_reputation", ())), answering(case.get("mail", []))
    )
    matches = list(rule.matches(View(said, watched, NOW, STALE), case.get("profile")))
    items = [
        {
            key: (NOW - value) // HOUR if key == "value" and value > 10**12 else value
            for key, value in match.item.items()
        }
        for match in matches
    ]
    assert sorted(items, key=str) == sorted(case.get("matches", []), key=str)
    assert all(match.record and match.identity and match.at for match in matches)


def test_every_rule_type_has_its_cases_and_there_are_no_others() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(CATALOGUE)
    assert sum(not name.startswith("MV_") for name in CATALOGUE) == 25
