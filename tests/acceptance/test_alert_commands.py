"""`mailvane alerts` on a terminal: what people see of alerts that live in a ledger."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest

from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Source
from mailvane.server.alerting import MonitoringSettings, alerting_of
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation

LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}
DRAFT = {"name": "listed", "rules": [LISTED], "webhook_url": "https://receiver.example/hook"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An alert that fired a day ago, by an address that is listed still."""
    found = Installation(tmp_path_factory.mktemp("alerts"))
    found.tenant("acme")
    then = int(time.time() * 1000) - 86_400_000 - 60_000
    ledger = open_ledger(f"sqlite:///{found.data / 'ledger.sqlite'}")
    alerting = alerting_of(MonitoringSettings(), ledger)
    WatchedAssets(ledger.assets, ledger.observations).add(1, AssetKind.IP, ["192.0.2.9"], then)
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset="192.0.2.9", key="bl.example", at=then, seen_at=then,
        data={"listed": True},
    )  # fmt: skip
    ledger.observations.observe(1, [said])
    alerting.create(1, AlertDraft(name="listed", rules=[LISTED], webhook_url="https://receiver.example/hook"), then)
    alerting.evaluate(1, [Source.BLOCKLISTS], then)
    ledger.close()
    return found


def test_alerts_are_listed_with_what_they_watch_for_and_whom_they_tell(installation: Installation) -> None:
    told = installation.run("alerts", "list").stdout
    assert all(word in told for word in ("listed", "IP_IN_RBL", "webhook", "active"))


def test_an_alert_is_shown_whole_with_its_last_evidence(installation: Installation) -> None:
    (alert,) = installation.answer("alerts", "list")
    told = installation.run("alerts", "show", alert["id"]).stdout
    assert "IP_IN_RBL  192.0.2.9 is on bl.example" in told
    missing = installation.run("alerts", "show", "nothing", succeeds=False)
    assert (missing.returncode, missing.stderr) == (1, "mailvane: there is no alert nothing\n")


def test_one_that_cannot_be_evaluated_says_so_where_it_is_shown(installation: Installation) -> None:
    ledger = open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")
    alerting, now = alerting_of(MonitoringSettings(), ledger), int(time.time() * 1000)
    made = alerting.create(1, AlertDraft(name="broken", rules=[LISTED], is_active=False), now)
    both = (LISTED, LISTED)
    ledger.alerts.change_alert(
        1, made.id, lambda known: msgspec.structs.replace(known, rules=both, formula="(", is_active=True)
    )
    alerting.evaluate(1, [Source.BLOCKLISTS], now - 86_400_000)  # when the other one has nothing new to say
    told = installation.run("alerts", "show", made.id).stdout
    kept = installation.answer("alerts", "show", made.id)["memory"]["failing"]
    alerting.remove(1, made.id)
    ledger.close()
    assert kept.startswith("formula: ")
    assert f"it cannot be evaluated: {kept}" in " ".join(told.split())


def test_the_log_tells_what_fired_and_that_nobody_has_answered(installation: Installation) -> None:
    told = installation.run("alerts", "log").stdout
    assert "listed  open" in told
    assert "  IP_IN_RBL  192.0.2.9 is on bl.example" in told
    assert told.endswith("1 of 1\n")
    assert installation.answer("alerts", "log")["entries"][0]["rules"][0]["type"] == "IP_IN_RBL"


def test_a_trial_says_what_would_fire_now_and_keeps_nothing(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(DRAFT))
    assert "it would fire now:" in installation.run("alerts", "test", str(file)).stdout
    file.write_text(json.dumps({"name": "x", "rules": [LISTED | {"rbls": ["other.example"]}]}))
    assert "it would say nothing now" in installation.run("alerts", "test", str(file)).stdout
    assert installation.answer("alerts", "log")["total"] == 1
    file.write_text("{")
    assert "is no alert" in installation.run("alerts", "test", str(file), succeeds=False).stderr


def test_a_backtest_says_how_often_a_week(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(DRAFT))
    told = installation.run("alerts", "backtest", str(file), "--days", "7").stdout
    assert "in the last 7 days it would have fired once" in told
    assert installation.answer("alerts", "backtest", str(file))["firings"][0]["rules"][0]["type"] == "IP_IN_RBL"
    file.write_text(json.dumps({"name": "x", "rules": [LISTED | {"rbls": ["other.example"]}]}))
    told = installation.run("alerts", "backtest", str(file), "--days", "1").stdout
    assert told == "in the last day it would have fired not at all\n"


def test_people_answer_what_fired_and_ask_for_quiet(installation: Installation) -> None:
    (entry,) = installation.answer("alerts", "log")["entries"]
    seen = installation.run("alerts", "acknowledge", entry["id"]).stdout
    assert seen.startswith("listed of ")
    assert seen.endswith(": acknowledged\n")
    (known,) = installation.answer("alerts", "log")["entries"]
    assert (known["state"], known["state_by"]) == ("acknowledged", "command line")
    assert installation.answer("alerts", "resolve", entry["id"])[0]["state"] == "resolved"
    missing = installation.run("alerts", "resolve", entry["id"], "nothing", succeeds=False)
    assert (missing.returncode, missing.stderr) == (1, "mailvane: there is no log entry nothing\n")
    (alert,) = installation.answer("alerts", "list")
    assert "nobody is told until" in installation.run("alerts", "snooze", alert["id"], "--until", "8h").stdout
    assert "snoozed until" in installation.run("alerts", "list").stdout
    assert (
        "is over" in installation.run("alerts", "snooze", alert["id"], "--until", "2020-01-01", succeeds=False).stderr
    )
    assert installation.run("alerts", "snooze", alert["id"], "--until", "now").stdout == "listed: tells again\n"
    assert "active" in installation.run("alerts", "list").stdout


def test_what_is_watched_is_listed_added_and_removed(installation: Installation) -> None:
    assert "192.0.2.9" in installation.run("watch", "list").stdout
    added = installation.answer("watch", "add", "ip", "198.51.100.0/31", "2001:DB8::1")
    assert [each["name"] for each in added] == ["198.51.100.0", "198.51.100.1", "2001:db8::1"]
    assert (added[0]["status"], added[0]["updated_at"]) == ("WAITING", None)
    wrong = installation.run("watch", "add", "domain", "ok.example", "not a domain", succeeds=False)
    assert (wrong.returncode, "[1]: " in wrong.stderr) == (1, True)
    assert installation.answer("watch", "list", "--kind", "domain") == []
    assert installation.answer("watch", "ask") == {"blocklists": 3 + 1}
    assert "wait a minute" in installation.run("watch", "ask", succeeds=False).stderr
    for words in (("198.51.100.0/31", "2001:db8::1"), ("192.0.2.77",)):
        removed = installation.run("watch", "remove", "ip", *words, succeeds=words != ("192.0.2.77",))
    assert removed.stderr == "mailvane: not watched: 192.0.2.77\n"
    assert [each["name"] for each in installation.answer("watch", "list")] == ["192.0.2.9"]
    assert "secret" in installation.run("watch", "add", "snds", "main", succeeds=False).stderr


def test_a_window_of_maintenance_is_added_listed_and_ended(installation: Installation) -> None:
    added = installation.run("maintenance", "add", "--until", "2h", "--reason", "new mail server").stdout.strip()
    (window,) = installation.answer("maintenance", "list")
    assert (window["id"], window["reason"]) == (added, "new mail server")
    shown = installation.run("maintenance", "list").stdout
    assert all(word in shown for word in ("now", "new mail server", added))
    wrong = installation.run("maintenance", "add", "--until", "1h", "--since", "2h", succeeds=False)
    assert "until: expected a later time than since" in wrong.stderr
    installation.run("maintenance", "remove", added)
    assert installation.answer("maintenance", "list") == []
    assert "maintenance window" in installation.run("maintenance", "remove", added, succeeds=False).stderr
