"""How often alerts fired, and by what; on a real ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import InvalidFields
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.model import Alert, AlertState, FiredRule, LogEntry
from mailvane.reputation.alerts.statistics import AlertStatistics
from mailvane.reputation.questions import FiringQuestion
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOON = 20_000 * DAY_MS + DAY_MS // 2
ALERT = "a" * 24


class Counted:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", NOON).id
        self.statistics = AlertStatistics(ledger.alert_log)
        self._version = 0
        ledger.alerts.add_alert(
            Alert(id=ALERT, workspace=self.workspace, name="x", created_at=0, updated_at=0, rules=())
        )

    def fired(self, at: int, *items: Mapping[str, Any], rule_type: str = "IP_IN_RBL") -> None:
        rule = FiredRule(type=rule_type, snapshot={}, matchings={"items": items, "count": len(items)})
        entry = LogEntry(
            id=new_id(), workspace=self.workspace, alert_id=ALERT, profile_id=None, name="x", at=at, rules=(rule,)
        )
        assert self.ledger.alert_log.save_evaluation(AlertState(alert_id=ALERT, version=self._version), entry, [])
        self._version += 1

    def question(self, **fields: Any) -> FiringQuestion:
        whole: dict[str, Any] = {
            "workspace": self.workspace,
            "since": NOON - DAY_MS,
            "until": NOON + 3 * DAY_MS,
            "alert_id": ALERT,
        }
        return FiringQuestion(**(whole | fields))


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    found = Counted(ledger)
    one, two = {"ip": "192.0.2.1", "rbl": "bl.example"}, {"ip": "198.51.100.2", "rbl": "bl.example"}
    found.fired(NOON, one, two)
    found.fired(NOON + 2 * DAY_MS, one)
    found.fired(NOON, {"domain": "a.example", "value": 0.4}, rule_type="GP_SPF_SUCCESS_RATIO")
    found.fired(NOON, {"domain": "a.example", "value": 0.5}, rule_type="GP_SPF_SUCCESS_RATIO")
    found.fired(NOON + 30 * DAY_MS, two)
    yield found
    ledger.close()


def test_items_are_counted_by_the_keys_that_apply(counted: Counted) -> None:
    assert counted.statistics.aggregated(counted.question(rule_type="IP_IN_RBL")) == [
        {"ip": "192.0.2.1", "rbl": "bl.example", "count": 2},
        {"ip": "198.51.100.2", "rbl": "bl.example", "count": 1},
    ]
    assert counted.statistics.aggregated(counted.question(rule_type="GP_SPF_SUCCESS_RATIO")) == [
        {"domain": "a.example", "count": 2}
    ]


def test_a_part_of_an_address_or_domain_narrows_the_count(counted: Counted) -> None:
    assert [row["ip"] for row in counted.statistics.aggregated(counted.question(ip="198.51"))] == ["198.51.100.2"]
    assert [row["count"] for row in counted.statistics.aggregated(counted.question(domain="a.ex"))] == [2]
    assert counted.statistics.aggregated(counted.question(ip="203")) == []


def test_entries_are_counted_day_by_day_with_those_that_have_none(counted: Counted) -> None:
    question = counted.question(rule_type="IP_IN_RBL")
    series = counted.statistics.timeseries(question)
    assert [row["date"] for row in series] == ["2024-10-03", "2024-10-04", "2024-10-05", "2024-10-06", "2024-10-07"]
    assert [row["count"] for row in series] == [0, 1, 0, 1, 0]


def test_entries_are_counted_by_alert_and_type(counted: Counted) -> None:
    assert counted.statistics.by_alert(counted.question(alert_id=None)) == [
        {"user_alert_id": ALERT, "name": "x", "rule_type": "GP_SPF_SUCCESS_RATIO", "count": 2},
        {"user_alert_id": ALERT, "name": "x", "rule_type": "IP_IN_RBL", "count": 2},
    ]


def test_another_workspace_counts_nothing(counted: Counted) -> None:
    other = msgspec.structs.replace(counted.question(), workspace=counted.workspace + 1)
    assert counted.statistics.aggregated(other) == []


@pytest.mark.parametrize("fields", [{"rule_type": "NONSENSE"}, {"until": NOON - DAY_MS}, {"since": 0}])
def test_impossible_questions_are_refused(counted: Counted, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields):
        counted.statistics.timeseries(counted.question(**fields))
