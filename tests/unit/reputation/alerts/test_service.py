"""Alerts from draft to log entry and outbox; on a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import InvalidFields, NotFound
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.notify.model import Channel, SlackIntegration
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.model import Alert, EntryState, MaintenanceWindow
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
HOOK = "https://hooks.example/x"


class Installed:
    """Watching and alerting together, as a server has them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", NOW).id
        self.alerting = Alerting(ledger.alerting, lambda: frozenset({"bl.example"}))
        self.watching = WatchedAssets(
            ledger.assets, ledger.observations, lambda *heard: self.rounds.append(self.alerting.evaluate(*heard))
        )
        self.rounds: list[Any] = []

    def alert(self, **fields: Any) -> Alert:
        return self.alerting.create(self.workspace, draft(**fields), NOW)

    def watch(self, *names: str) -> None:
        self.watching.add(self.workspace, AssetKind.IP, names, NOW)

    def told(self, name: str, at: int, listed: bool = True, zone: str = "bl.example") -> None:
        """A blocklist answered."""
        said = Observation(
            kind=ObservationKind.IP_LISTING, asset=name, key=zone, at=at, seen_at=at, data={"listed": listed}
        )
        refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=name, at=at, observations=(said,))
        self.watching.record(self.workspace, [refresh], at)

    def log(self, of: Alert) -> list[int]:
        page = self.alerting.entries(EntryQuestion(workspace=self.workspace, alert_id=of.id, newest_first=False))
        return [entry.at - NOW for entry in page.entries]

    def outbox(self) -> list[tuple[Channel, str]]:
        return sorted((one.channel, one.target) for one in self.ledger.outbox.notifications(self.workspace))


def draft(**fields: Any) -> AlertDraft:
    return AlertDraft(**({"name": "listed", "rules": (LISTED,)} | fields))


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Installed(ledger)
    ledger.close()


def test_a_listing_is_logged_once_and_told_where_the_alert_says(installed: Installed) -> None:
    of = installed.alert(webhook_url=HOOK, is_instant_alert=True, instant_alert_email="ops@example.org")
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW + 1)
    installed.told("192.0.2.1", NOW + HOUR_MS)
    assert installed.log(of) == [1]
    assert installed.outbox() == [(Channel.EMAIL, "ops@example.org"), (Channel.WEBHOOK, HOOK)]
    (told,) = [
        one for one in installed.ledger.outbox.notifications(installed.workspace) if one.channel is Channel.WEBHOOK
    ]
    assert told.body["rules"][0]["matchings"]["items"] == [{"ip": "192.0.2.1", "rbl": "bl.example"}]
    assert [round_.fired for round_ in installed.rounds] == [1, 0]


def test_an_alert_that_is_defined_late_hears_of_what_is_already_true(installed: Installed) -> None:
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW - HOUR_MS)
    assert installed.log(installed.alert()) == [0]
    assert installed.log(installed.alert(is_active=False)) == []


def test_an_alert_that_is_switched_off_is_silent_until_it_is_switched_on(installed: Installed) -> None:
    of = installed.alert(is_active=False)
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW + 1)
    assert installed.log(of) == []
    changed = installed.alerting.update(installed.workspace, of.id, draft(name="on"), NOW + 2)
    assert (changed.name, changed.updated_at, changed.created_at) == ("on", NOW + 2, NOW)
    assert installed.log(of) == [2]


def test_alerts_that_read_another_source_are_not_looked_at(installed: Installed) -> None:
    installed.alert()
    ratio = {"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": {"value": 0.5, "operator": "lt"}}
    installed.alert(rules=(ratio,))
    assert installed.alerting.evaluate(installed.workspace, [Source.BLOCKLISTS], NOW).alerts == 1
    assert installed.alerting.evaluate(installed.workspace, [Source.BLOCKLISTS, Source.POSTMASTER], NOW).alerts == 2
    assert installed.alerting.evaluate(installed.workspace, [Source.SNDS], NOW).alerts == 0


def test_in_maintenance_or_snoozed_it_is_logged_and_nobody_is_told(installed: Installed) -> None:
    of = installed.alert(webhook_url=HOOK)
    installed.watch("192.0.2.1", "192.0.2.2", "192.0.2.3")
    installed.ledger.alerts.add_window(
        MaintenanceWindow(id=new_id(), workspace=installed.workspace, since=NOW, until=NOW + HOUR_MS)
    )
    installed.told("192.0.2.1", NOW + 1)
    assert (installed.log(of), installed.outbox()) == ([1], [])
    installed.alerting.snooze(installed.workspace, of.id, NOW + 3 * HOUR_MS)
    installed.told("192.0.2.2", NOW + 2 * HOUR_MS)
    assert (len(installed.log(of)), installed.outbox()) == (2, [])
    installed.told("192.0.2.3", NOW + 3 * HOUR_MS)
    assert (len(installed.log(of)), installed.outbox()) == (3, [(Channel.WEBHOOK, HOOK)])


def test_rules_that_match_at_different_times_are_remembered(installed: Installed) -> None:
    other = {"type": "IP_IN_RBL", "ips": ["192.0.2.2"], "rbls": ["bl.example"], "key": "b"}
    of = installed.alert(rules=({**LISTED, "ips": ["192.0.2.1"], "key": "a"}, other), formula="a AND b")
    installed.told("192.0.2.1", NOW + 1)
    installed.told("192.0.2.1", NOW + 2, listed=False)
    installed.told("192.0.2.2", NOW + 20 * HOUR_MS)
    assert installed.log(of) == [20 * HOUR_MS]


def test_a_trial_and_a_backtest_keep_nothing_and_tell_nobody(installed: Installed) -> None:
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW + 1)
    (fired,) = installed.alerting.trial(installed.workspace, draft(webhook_url=HOOK), NOW + 2).fired
    assert fired.matchings["count"] == 1
    found = installed.alerting.backtest(installed.workspace, draft(), NOW, NOW + 3 * DAY_MS)
    # It was confirmed at the first moment only, and is unknown two days later.
    assert [firing.at - NOW for firing in found.firings] == [1, 2 * DAY_MS]
    assert installed.alerting.alerts(installed.workspace) == []
    assert installed.outbox() == []
    for since, until in ((NOW, NOW), (NOW, NOW + 500 * DAY_MS)):
        with pytest.raises(InvalidFields):
            installed.alerting.backtest(installed.workspace, draft(), since, until)


def test_a_log_entry_is_acknowledged_and_resolved(installed: Installed) -> None:
    of = installed.alert()
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW + 1)
    (entry,) = installed.alerting.entries(EntryQuestion(workspace=installed.workspace, alert_id=of.id)).entries
    assert installed.alerting.acknowledge(installed.workspace, entry.id, "ann", NOW).state is EntryState.ACKNOWLEDGED
    assert installed.alerting.resolve(installed.workspace, entry.id, "ann", NOW).state is EntryState.RESOLVED
    with pytest.raises(NotFound):
        installed.alerting.entries(EntryQuestion(workspace=installed.workspace + 1, alert_id=of.id))


def test_an_alert_is_its_workspaces_alone(installed: Installed) -> None:
    of = installed.alert()
    other = installed.workspace + 1
    for act in (
        lambda: installed.alerting.alert(other, of.id),
        lambda: installed.alerting.update(other, of.id, draft(), NOW),
        lambda: installed.alerting.remove(other, of.id),
        lambda: installed.alerting.snooze(other, of.id, NOW),
    ):
        with pytest.raises(NotFound):
            act()
    installed.alerting.remove(installed.workspace, of.id)
    assert installed.alerting.alerts(installed.workspace) == []


def test_what_an_alert_refers_to_must_be_there(installed: Installed) -> None:
    with pytest.raises(InvalidFields) as refused:
        installed.alert(profile_id="p" * 24, slack_integration_id="s" * 24)
    assert {field for field, _ in refused.value.fields} == {"profile_id", "slack_integration_id"}
    slack = SlackIntegration(id=new_id(), workspace=installed.workspace, name="ops", url=HOOK, created_at=NOW)
    installed.ledger.channels.add_slack_integration(slack)
    installed.watch("192.0.2.1")
    installed.told("192.0.2.1", NOW)
    installed.alert(slack_integration_id=slack.id)
    assert installed.outbox() == [(Channel.SLACK, slack.id)]


def test_a_rule_of_a_newer_version_is_shown_as_failing(installed: Installed) -> None:
    of = installed.alert()
    gone = ({"type": "NEWER"}, LISTED)
    installed.ledger.alerts.change_alert(
        installed.workspace, of.id, lambda known: msgspec.structs.replace(known, rules=gone, formula="0 OR 1")
    )
    found = installed.alerting.evaluate(installed.workspace, [Source.BLOCKLISTS], NOW)
    assert found.failing == {of.id: {"0": "rules[0].type: there is no such rule type"}}
