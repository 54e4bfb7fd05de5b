"""An alert that cannot be evaluated: shown, counted, in the log, and no trouble of any other."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from mailvane.reputation.model import AssetKind, ObservationKind, Source
from tests.wire.emailconsul.asking import get, post, said, send
from tests.wire.world import NOW, World

LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}
HOOK = "https://hooks.example/x"


def listed(world: World, *addresses: str, at: int = NOW) -> None:
    for address in addresses:
        said(world, ObservationKind.IP_LISTING, (AssetKind.IP, address), {"listed": True}, key="bl.example", at=at)


def entries(world: World, alert: dict[str, Any]) -> int:
    return int(get(world, f"/alerts/{alert['id']}/log")["meta"]["count"])


def broken(world: World, alert: dict[str, Any], **changes: Any) -> None:
    """As an older version, or a hand in the database, could have left it."""
    world.ledger.alerts.change_alert(
        world.ours.workspace.id, alert["id"], lambda known: msgspec.structs.replace(known, **changes)
    )


def executed(world: World, statement: str) -> None:
    with world.ledger.database.write() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("field", ["ips", "domains"])
def test_an_alert_for_one_of_two_that_are_listed_fires_for_that_one(world: World, field: str) -> None:
    kind, names = {
        "ips": ("IP_IN_RBL", ["192.0.2.1", "192.0.2.2"]),
        "domains": ("DOMAIN_IN_RBL", ["a.example", "b.example"]),
    }[field]
    watched = {"ips": AssetKind.IP, "domains": AssetKind.DOMAIN}[field]
    spoken = {"ips": ObservationKind.IP_LISTING, "domains": ObservationKind.DOMAIN_LISTING}[field]
    post(world, f"/{field}", {field: names})
    for name in names:
        said(world, spoken, (watched, name), {"listed": True}, key="bl.example")
    rule = {"type": kind, field: names[:1], "rbls": ["bl.example"]}
    made = post(world, "/alerts", {"name": "one", "rules": [rule], "webhook_url": HOOK})
    changed = send(world, "PUT", f"/alerts/{made['id']}", {"name": "other", "rules": [{**rule, field: names[1:]}]})
    assert changed["name"] == "other"
    found = [entry["rules"][0]["matchings"]["items"] for entry in get(world, f"/alerts/{made['id']}/log")["data"]]
    label = field[:-1]
    assert sorted(item[label] for (item,) in found) == names
    (message,) = world.ledger.outbox.notifications(world.ours.workspace.id)
    assert message.body["rules"][0]["matchings"]["items"] == [{label: names[0], "rbl": "bl.example"}]


def test_one_that_fails_is_shown_and_those_after_it_are_evaluated(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = (post(world, "/alerts", {"name": name, "rules": [LISTED]}) for name in "abc")
    broken(world, second, rules=(LISTED, LISTED), formula="nothing OR 1")
    with caplog.at_level(logging.ERROR):
        listed(world, "192.0.2.1", "192.0.2.2")
    assert [entries(world, one) for one in (first, second, third)] == [0, 0, 0], "nobody watches these"
    post(world, "/ips", {"ips": ["192.0.2.1", "192.0.2.2"]})
    listed(world, "192.0.2.1")
    assert [entries(world, one) for one in (first, second, third)] == [1, 0, 1]

    error = get(world, f"/alerts/{second['id']}")["error"]
    told = re.fullmatch(r"formula: .* \(in the server's log as ([0-9a-f]{12})\)", error)
    assert told, error
    assert [record for record in caplog.messages if told[1] in record and second["id"] in record]
    assert [one.get("error") for one in get(world, "/alerts", sort="name")["data"]] == [None, error, None]
    assert "error" not in get(world, f"/alerts/{first['id']}")

    mended = send(world, "PUT", f"/alerts/{second['id']}", {"name": "b", "rules": [LISTED]})
    assert "error" not in mended
    assert entries(world, second) == 1


def test_one_whose_every_rule_is_unknown_is_shown_after_the_next_round_of_any_source(world: World) -> None:
    made = post(world, "/alerts", {"name": "x", "rules": [LISTED]})
    broken(world, made, rules=({"type": "OF_A_NEWER_VERSION"},))
    listed(world, "192.0.2.1")
    assert get(world, f"/alerts/{made['id']}")["error"] == "rule 0: rules[0].type: there is no such rule type"


def test_it_fails_once_in_the_log_and_each_time_in_the_count(world: World, caplog: pytest.LogCaptureFixture) -> None:
    made = post(world, "/alerts", {"name": "x", "rules": [LISTED]})
    broken(world, made, rules=(LISTED, LISTED), formula="(")
    alerting = world.services.reputation.alerting
    with caplog.at_level(logging.ERROR):
        rounds = [alerting.evaluate(world.ours.workspace.id, [Source.BLOCKLISTS], NOW + hour) for hour in range(3)]
    assert {tuple(one.failing) for one in rounds} == {(made["id"],)}
    assert len([record for record in caplog.messages if made["id"] in record]) == 1


def test_what_is_remembered_of_one_is_damaged_and_no_other_is_silent(world: World) -> None:
    first, second = (post(world, "/alerts", {"name": name, "rules": [LISTED]}) for name in "ab")
    post(world, "/ips", {"ips": ["192.0.2.1", "192.0.2.2"]})
    listed(world, "192.0.2.1")
    executed(world, f"UPDATE alert_memories SET document = '{{' WHERE alert_id = '{first['id']}'")
    listed(world, "192.0.2.2")
    assert [entries(world, one) for one in (first, second)] == [2, 2]


def test_a_request_that_is_answered_by_success_is_kept_though_its_evaluation_has_to_wait(world: World) -> None:
    executed(world, "ALTER TABLE alert_memories RENAME TO elsewhere")
    made = post(world, "/alerts", {"name": "x", "rules": [LISTED]})
    executed(world, "ALTER TABLE elsewhere RENAME TO alert_memories")
    post(world, "/ips", {"ips": ["192.0.2.1"]})
    listed(world, "192.0.2.1")
    assert entries(world, made) == 1


@pytest.mark.parametrize("depth", [40, 100, 900])
def test_a_rule_that_is_nested_too_deeply_is_refused_and_not_kept(world: World, depth: int) -> None:
    inner = "[" * depth + "]" * depth
    rule = f'{{"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"], "note": {inner}}}'
    body = f'{{"name": "x", "rules": [{rule}]}}'
    answer = world.client.post("/api/v1.0/alerts", content=body, headers=world.ours.headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "rules[0]")
    assert get(world, "/alerts")["data"] == []
