"""Rules over the mail log fire and clear by what happens to mail; a backtest tells the same moments; every engine."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count
from typing import Any, NamedTuple

import pytest

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.alerting import MonitoringSettings, alerting_of
from mailvane.server.ledger import Ledger
from mailvane.server.own_facts import SharedFacts
from tests.contract.maillogs import ledger_url, maillog, maillog_dsn

__all__ = ["ledger_url", "maillog", "maillog_dsn"]

NOON = 1_760_097_600_000
_used, _places = count(), count()


class Server(NamedTuple):
    """The parts of one that evaluate, whose clock is the test's."""

    ledger: Ledger
    maillog: ClickHouseMailLog
    workspace: int
    relay: int
    alerting: Alerting
    shared: SharedFacts

    def event(
        self, minutes: float, type_: EventType, number: int, accepted: float | None = None, **more: Any
    ) -> MailEvent:
        at = NOON + int(minutes * MINUTE_MS)
        accepted_at = at if accepted is None else NOON + int(accepted * MINUTE_MS)
        known = {"sender": "s@ours.example", "recipient": f"r{number}@theirs.example"} | more
        return MailEvent(relay=self.relay, accepted_at=accepted_at, number=number, type=type_, at=at, **known)

    def store(self, *events: MailEvent) -> None:
        self.maillog.append(EventBatch(f"mail rules {next(_used)}", self.workspace, 0, list(events)))

    def happen(self, minutes: float, type_: EventType, number: int, accepted: float | None = None, **more: Any) -> None:
        self.store(self.event(minutes, type_, number, accepted, **more))

    def alert(self, rule: dict[str, Any]) -> AlertDraft:
        draft = AlertDraft(name="mail", rules=[rule])
        self.alerting.create(self.workspace, draft, NOON - DAY_MS)
        return draft

    def tick(self, minutes: int) -> None:
        self.shared.look(NOON + minutes * MINUTE_MS)

    def told(self) -> list[tuple[float, Any]]:
        """When, in minutes, and the value of each item."""
        entries = self.alerting.entries(EntryQuestion(workspace=self.workspace, newest_first=False)).entries
        return [
            ((entry.at - NOON) / MINUTE_MS, item["value"])
            for entry in entries
            for item in entry.rules[0].matchings["items"]
        ]

    def tried(self, draft: AlertDraft, hours: float) -> list[float]:
        found = self.alerting.backtest(self.workspace, draft, NOON - HOUR_MS, NOON + int(hours * HOUR_MS))
        assert not found.failing
        return [(firing.at - NOON) / MINUTE_MS for firing in found.firings]

    def says(self, draft: AlertDraft, minutes: int) -> bool:
        found = self.alerting.trial(self.workspace, draft, NOON + minutes * MINUTE_MS)
        assert not found.failing
        return bool(found.fired)


@pytest.fixture
def server(ledger: Ledger, maillog: ClickHouseMailLog) -> Server:
    tenancy = Tenancy(ledger.tenants, "")
    # The mail log is shared by these tests, and each ledger begins to count anew.
    for number in range(next(_places)):
        tenancy.create_workspace(f"another {number}", NOON)
    workspace = tenancy.create_workspace("ours", NOON).id
    relay = tenancy.create_relay(workspace, "", NOON).id
    alerting = alerting_of(MonitoringSettings(), ledger, maillog=lambda: nullcontext(maillog))
    return Server(ledger, maillog, workspace, relay, alerting, SharedFacts(ledger, alerting.evaluate))


def test_mail_that_waits_and_goes_out(server: Server) -> None:
    draft = server.alert({"type": "MV_WAITING_MAIL", "by": "DESTINATION", "domains": ["ALL_DOMAINS"], "mails": 2})
    for minute in (1, 2, 6, 7, 11, 12, 16, 17, 21):
        if minute in (2, 7):
            server.happen(minute, EventType.DEFERRED, minute)
        if minute == 12:
            server.happen(minute, EventType.DEFERRED, 7, accepted=7)
        if minute == 17:
            server.happen(minute, EventType.DELIVERED, 7, accepted=7)
        server.tick(minute)
    assert server.told() == [(11, 2)], "of the moment ten, a minute later"
    assert server.says(draft, 16)
    assert not server.says(draft, 21)
    assert server.tried(draft, 1) == [11]


def test_mail_that_waits_for_long(server: Server) -> None:
    draft = server.alert({"type": "MV_WAITING_AGE", "by": "TOTAL", "domains": ["theirs.example"], "minutes": 30})
    server.happen(1, EventType.DEFERRED, 1)
    server.happen(1, EventType.DEFERRED, 2, recipient="r@others.example")
    for minute in (1, 6, 26, 31, 35, 36, 37, 41):
        server.tick(minute)
    assert server.told() == [(36, 34)]
    server.happen(41, EventType.EXPIRED, 1, accepted=1)
    assert not server.says(draft, 46)
    assert server.tried(draft, 1) == [36]


@pytest.mark.parametrize(
    ("name", "bad"),
    [("bounce", EventType.BOUNCED), ("deferral", EventType.DEFERRED), ("complaint", EventType.COMPLAINED)],
)
def test_a_rate_that_is_surely_above(server: Server, name: str, bad: EventType) -> None:
    kind = f"mv_{name}_rate"
    draft = server.alert({"type": kind.upper(), "domains_are": "SENDING", "domains": ["ALL_DOMAINS"],
                          kind: {"value": 0.1, "time_range": "ONE_HOUR", "minimum": 5}})  # fmt: skip
    # Every second one that came is a bad one from minute 21 on; complaints are of mail that was delivered.
    for tick in range(6, 51, 5):
        minutes = range(tick - 5, tick)
        good = [server.event(minute, EventType.DELIVERED, minute) for minute in minutes]
        apart = 0 if bad is EventType.COMPLAINED else 100
        server.store(*good, *(server.event(minute, bad, apart + minute) for minute in minutes if minute > 20))
        server.tick(tick)
    ((at, value),) = server.told()
    assert (at, 0.1 < value < 0.5) == (31, True), "5 of 30 may be chance where 10 % are usual, 10 of 40 are not"
    assert not server.says(draft, 130)
    assert server.tried(draft, 3) == [at]


def test_few_deliveries_say_nothing(server: Server) -> None:
    draft = server.alert({"type": "MV_BOUNCE_RATE", "domains_are": "RECEIVING", "domains": ["theirs.example"],
                          "mv_bounce_rate": {"value": 0.1, "time_range": "ONE_DAY", "minimum": 4}})  # fmt: skip
    server.store(*(server.event(1, EventType.BOUNCED, number) for number in range(3)))
    server.tick(6)
    assert server.told() == []
    server.happen(8, EventType.BOUNCED, 4)
    for minute in (11, 61, 121):
        server.tick(minute)
    assert server.told() == [(121, 1.0)], "a window of a day is looked at every two hours"
    assert server.tried(draft, 3) == [121]


def test_an_hour_that_is_not_as_it_was_for_weeks(server: Server) -> None:
    week = 7 * 24 * 60
    events = [
        MailEvent(relay=server.relay, accepted_at=at, number=number, type=EventType.BOUNCED, at=at,
                  recipient="r@theirs.example")
        for weeks in range(6)
        for number in range(4 if weeks else 40)
        for at in [NOON + (10 - weeks * week) * MINUTE_MS]
    ]  # fmt: skip
    server.maillog.append(EventBatch("past weeks", server.workspace, 0, events))
    draft = server.alert({"type": "MV_SUDDEN_CHANGE", "mail": "BOUNCED", "direction": "EITHER", "deviations": 6,
                          "difference": 10})  # fmt: skip
    for minute in (1, 31, 56, 61, 66, 121, 126):
        server.tick(minute)
    assert server.told() == [(61, 40)]
    assert not server.says(draft, 125)
    assert server.tried(draft, 5) == [61]


def test_a_mail_log_that_is_away_is_shown_and_remembered_for_nothing(server: Server) -> None:
    alone = alerting_of(MonitoringSettings(), server.ledger)
    draft = AlertDraft(
        name="x", rules=[{"type": "MV_WAITING_MAIL", "by": "TOTAL", "domains": ["ALL_DOMAINS"], "mails": 1}]
    )
    found = alone.trial(server.workspace, draft, NOON)
    assert (found.fired, list(found.failing.values())) == ((), ["the mail log is not at hand here"])
