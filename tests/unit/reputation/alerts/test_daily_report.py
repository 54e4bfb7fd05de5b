"""What the report of a day holds, by a ledger that is real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.core.daily import Day, days_before
from mailvane.core.identifiers import new_id
from mailvane.core.tenants.model import Workspace
from mailvane.notify.model import NotificationState
from mailvane.reputation.alerts.daily_report import MOST_ALERTS, DailyReport, DailyReports, Recipients, daily_report
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, FiredRule, LogEntry, RuleState
from mailvane.reputation.model import Asset, AssetKind, Profile, Source
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

HOUR = 3_600_000
SINCE = 1_789_948_800_000
DAY = Day("2026-09-21", "UTC", SINCE, SINCE + 24 * HOUR)
NOW = DAY.until + 7 * HOUR
STALE = 48 * HOUR


class Office:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", SINCE - 100 * HOUR)

    def alert(self, name: str = "listed", **more: Any) -> Alert:
        given = {"is_in_daily_report": True, "created_at": SINCE - HOUR, **more}
        given.setdefault("workspace", self.workspace.id)
        alert = Alert(id=new_id(), name=name, updated_at=0, rules=(), **given)
        self.ledger.alerts.add_alert(alert)
        return alert

    def fires(self, alert: Alert, at: int, *addresses: str, in_report: bool = True) -> LogEntry:
        items = [{"ip": address, "rbl": "z.example"} for address in addresses]
        rule = FiredRule(type="IP_IN_RBL", snapshot={}, matchings={"items": items, "count": len(items)})
        entry = LogEntry(
            id=new_id(), workspace=alert.workspace, alert_id=alert.id, profile_id=alert.profile_id, name=alert.name,
            at=at, rules=(rule,), in_daily_report=in_report,
        )  # fmt: skip
        known = self.ledger.alert_log.states([alert.id]).get(alert.id) or AlertState(alert_id=alert.id)
        assert self.ledger.alert_log.save_evaluation(known, entry, [])
        return entry

    def watch(self, *names: str, kind: AssetKind = AssetKind.IP, **more: Any) -> None:
        self.ledger.assets.add_assets(
            [
                Asset(id=new_id(), workspace=self.workspace.id, kind=kind, name=name, created_at=SINCE, **more)
                for name in names
            ]
        )

    def report(self) -> DailyReport:
        report = daily_report(self.ledger.alerting, self.workspace, DAY, NOW, STALE)
        assert report is not None
        return report


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def office(ledger: Ledger) -> Office:
    return Office(ledger)


def test_the_firings_of_the_day_are_told_alert_by_alert(office: Office) -> None:
    alert = office.alert()
    office.fires(alert, SINCE - 1, "192.0.2.1")
    first = office.fires(alert, SINCE, "192.0.2.2", "192.0.2.3")
    office.fires(alert, DAY.until - 1, "192.0.2.3", "192.0.2.4")
    office.fires(alert, DAY.until, "192.0.2.5")
    office.ledger.alert_log.mark_entry(office.workspace.id, first.id, EntryState.ACKNOWLEDGED, NOW, "somebody")
    report = office.report()
    assert (report.alerts, report.firings, report.watching) == (1, 2, 1)
    ((line,),) = (group.alerts for group in report.profiles)
    assert (line.fired, line.unattended, line.first_at, line.last_at) == (2, 1, SINCE, DAY.until - 1)
    assert [item["ip"] for item in line.rules[0].items] == ["192.0.2.3", "192.0.2.4", "192.0.2.2"]
    assert line.rules[0].count == 3


def test_what_did_not_ask_to_be_in_the_report_is_not(office: Office) -> None:
    flagged, other = office.alert("flagged"), office.alert("other", is_in_daily_report=False)
    office.fires(other, SINCE, "192.0.2.1", in_report=False)
    assert office.report().alerts == 0
    office.fires(flagged, SINCE, "192.0.2.1")
    assert [line.name for group in office.report().profiles for line in group.alerts] == ["flagged"]


def test_alerts_are_grouped_by_profile(office: Office) -> None:
    profile = office.ledger.profiles.add_profile(
        Profile(id=new_id(), workspace=office.workspace.id, name="shop", created_at=0)
    )
    for name, of in (("a", profile.id), ("b", None), ("c", profile.id)):
        office.fires(office.alert(name, profile_id=of), SINCE, "192.0.2.1")
    groups = {group.profile: sorted(line.name for line in group.alerts) for group in office.report().profiles}
    assert groups == {"": ["b"], "shop": ["a", "c"]}


def test_a_quiet_day_is_told_and_an_unwatched_one_is_not(office: Office) -> None:
    assert daily_report(office.ledger.alerting, office.workspace, DAY, NOW, STALE) is None
    office.alert("inactive", is_active=False)
    office.alert("newer", created_at=DAY.until)
    assert daily_report(office.ledger.alerting, office.workspace, DAY, NOW, STALE) is None
    office.alert()
    report = office.report()
    assert (report.watching, report.alerts, report.sources, report.unjudged) == (1, 0, (), ())


def test_what_is_stale_or_was_never_asked_is_unknown(office: Office) -> None:
    office.alert()
    office.watch("192.0.2.1", updated_at=NOW - HOUR)
    office.watch("192.0.2.2", updated_at=NOW - STALE - 1, error="refused")
    office.watch("192.0.2.3")
    office.watch("d.example", kind=AssetKind.GP_DOMAIN, updated_at=NOW)
    office.watch("trap@d.example", kind=AssetKind.TRAP)
    (line,) = office.report().sources
    assert (line.source, line.assets, line.unknown, line.error) == (Source.BLOCKLISTS, 3, 2, "refused")


def test_a_source_that_fails_is_told_of_while_what_it_said_is_fresh(office: Office) -> None:
    office.alert()
    office.watch("192.0.2.1", updated_at=NOW - HOUR)
    office.ledger.observations.save_health(
        office.workspace.id,
        Source.BLOCKLISTS,
        lambda known: msgspec.structs.replace(known, failures=3, error="no resolver", succeeded_at=NOW - HOUR),
    )
    (line,) = office.report().sources
    assert (line.unknown, line.error, line.succeeded_at) == (0, "no resolver", NOW - HOUR)


def test_a_rule_that_could_not_be_evaluated_is_told_of(office: Office) -> None:
    alert = office.alert("broken")
    state = AlertState(alert_id=alert.id, rules={"0": RuleState(failing="no such type")})
    assert office.ledger.alert_log.save_evaluation(state, None, [])
    assert [(line.name, line.reason) for line in office.report().unjudged] == [("broken", "no such type")]


def test_very_many_alerts_are_counted_and_not_all_shown(office: Office) -> None:
    for number in range(MOST_ALERTS + 3):
        office.fires(office.alert(f"a{number}"), SINCE + number, "192.0.2.1")
    report = office.report()
    assert (report.alerts, report.left_out) == (MOST_ALERTS + 3, 3)
    assert sum(len(group.alerts) for group in report.profiles) == MOST_ALERTS


def reports_of(office: Office, **recipients: Any) -> DailyReports:
    return DailyReports(office.ledger.alerting, office.ledger.tenants, Recipients(**recipients), STALE)


def posted(ledger: Ledger, workspace: Workspace) -> list[tuple[str, str]]:
    return sorted((one.target, one.body["workspace"]) for one in ledger.outbox.notifications(workspace.id))


def test_nodes_and_restarts_post_a_report_once(office: Office) -> None:
    other = office.ledger.tenants.add_workspace("two", 0)
    office.alert()
    for _node in range(3):
        reports = reports_of(office, all=("a@example.org", "b@example.org", "a@example.org"))
        assert reports.post(DAY, NOW) == 2
    assert posted(office.ledger, office.workspace) == [("a@example.org", "one"), ("b@example.org", "one")]
    assert posted(office.ledger, other) == []


def test_a_report_that_was_delivered_is_not_posted_again(office: Office) -> None:
    office.alert()
    reports = reports_of(office, all=("a@example.org",))
    reports.post(DAY, NOW)
    (taken,) = office.ledger.outbox.take(NOW, 10, HOUR)
    told = msgspec.convert(taken.body, DailyReport)
    assert (told.day, told.workspace) == (DAY, "one")
    reports.post(DAY, NOW)
    assert [one.id for one in office.ledger.outbox.notifications(office.workspace.id)] == [taken.id]
    assert office.ledger.outbox.notifications(office.workspace.id)[0].state is NotificationState.PENDING
    next_day = msgspec.structs.replace(DAY, name="2026-09-22", since=DAY.until, until=DAY.until + 24 * HOUR)
    reports.post(next_day, NOW)
    assert len(office.ledger.outbox.notifications(office.workspace.id)) == 2


def test_without_recipients_there_is_no_report(office: Office) -> None:
    office.alert()
    assert reports_of(office).post(DAY, NOW) == 0


def test_a_workspace_has_recipients_of_its_own(office: Office) -> None:
    two, three = (office.ledger.tenants.add_workspace(name, SINCE - HOUR) for name in ("two", "three"))
    office.alert()
    for workspace in (two, three):
        office.alert(workspace=workspace.id)
    own = {"two": ("ops@two.example", "ops@two.example"), "three": ()}
    assert reports_of(office, all=("a@example.org",), of_workspace=own).post(DAY, NOW) == 2
    assert posted(office.ledger, office.workspace) == [("a@example.org", "one")]
    assert posted(office.ledger, two) == [("ops@two.example", "two")]
    assert posted(office.ledger, three) == []


def days_posted(office: Office) -> list[str]:
    return sorted(one.body["day"]["name"] for one in office.ledger.outbox.notifications(office.workspace.id))


def test_days_that_were_missed_are_told_with_the_next_and_once(office: Office) -> None:
    office.alert(created_at=SINCE - 1000 * HOUR)
    reports, before = reports_of(office, all=("a@example.org",)), days_before(DAY, 20)
    reports.post(before[-4], NOW)
    assert days_posted(office) == ["2026-09-17"], "who is told first is told of one day"
    for _ in range(2):
        reports.post(DAY, NOW)
    assert days_posted(office) == [f"2026-09-{day}" for day in range(17, 22)]
    both = reports_of(office, all=("a@example.org", "new@example.org"))
    assert both.post(DAY, NOW) == 2
    assert len(days_posted(office)) == 6, "a new recipient is told of one day, too"


def test_what_was_missed_long_ago_is_not_told(office: Office) -> None:
    office.alert(created_at=SINCE - 1000 * HOUR)
    reports = reports_of(office, all=("a@example.org",))
    reports.post(days_before(DAY, 20)[0], NOW)
    reports.post(DAY, NOW)
    assert len(days_posted(office)) == 2
