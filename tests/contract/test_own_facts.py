"""What this server tells of itself fires alerts and clears them; a backtest tells the same moments. On both ledgers.

Each through what it has in real life: decisions on mail, a file, a source's refresh, a probed blocklist.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.model import Mailbox, mailbox_id
from mailvane.maillog.settings import PostfixLog
from mailvane.outbound.model import Domain, Feedback, LimitKind, OutboundStatus, SenderLimit, SendRequest
from mailvane.outbound.settings import OutboundSettings
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.heartbeats import Heartbeats
from mailvane.reputation.model import AssetKind, ObservationKind, Refresh, Source, ZoneHealth
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.sources.dnsbl.zones import shipped
from mailvane.server.alerting import MonitoringSettings, alerting_of, watched_assets_of
from mailvane.server.governance import governance_of
from mailvane.server.ledger import Ledger
from mailvane.server.own_facts import LocalFacts, SharedFacts
from tests.contract.deciding import JUDGE, added

NOW = 1_760_054_400_000 + 30 * MINUTE_MS  # half past midnight
ANN = "ann@ours.example"
QUOTA = {"type": "MV_QUOTA", "limits_of": ["DOMAIN", "LOGIN", "MAILBOX"], "windows": ["HOUR", "DAY", "MONTH"],
         "names": ["ANY"], "percent": 80}  # fmt: skip


class Server(NamedTuple):
    """The parts of one that tell and evaluate, whose clock is the test's."""

    ledger: Ledger
    workspace: int
    alerting: Alerting
    watched: WatchedAssets
    local: LocalFacts
    shared: SharedFacts
    log: Path

    def tick(self, minutes: float) -> None:
        now = NOW + int(minutes * MINUTE_MS)
        self.local.look(now)
        self.shared.look(now)

    def alert(self, rule: dict[str, Any]) -> AlertDraft:
        draft = AlertDraft(name="own", rules=[rule])
        self.alerting.create(self.workspace, draft, NOW)
        return draft

    def told(self) -> list[tuple[float, Any]]:
        """When, in minutes, and what."""
        asked = EntryQuestion(workspace=self.workspace, newest_first=False)
        entries = self.alerting.entries(asked).entries
        return [
            ((entry.at - NOW) / MINUTE_MS, dict(item))
            for entry in entries
            for item in entry.rules[0].matchings["items"]
        ]

    def tried(self, draft: AlertDraft, until: int = NOW + 5 * DAY_MS) -> list[float]:
        found = self.alerting.backtest(self.workspace, draft, NOW - HOUR_MS, until)
        assert not found.failing
        return [(firing.at - NOW) / MINUTE_MS for firing in found.firings]

    def send(self, count: int, minutes: float, sender: str = ANN, login: str = "") -> int:
        request = SendRequest(domain=sender.split("@")[1], senders=(sender,), login=login, mail_server=True)
        now = NOW + int(minutes * MINUTE_MS)
        return sum(self.ledger.domains.decide([request], now, JUDGE)[0].allowed for _ in range(count))


@pytest.fixture
def server(ledger: Ledger, tmp_path: Path) -> Server:
    workspace = Tenancy(ledger.tenants, "").create_workspace("ours", NOW).id
    alerting = alerting_of(MonitoringSettings(), ledger)
    log = tmp_path / "mail.log"
    written(log, 0)
    local = LocalFacts(ledger, [PostfixLog(log, "ours")])
    watched = watched_assets_of(ledger, alerting.evaluate)
    return Server(ledger, workspace, alerting, watched, local, SharedFacts(ledger, alerting.evaluate), log)


def written(log: Path, minutes: float) -> None:
    log.touch()
    moment = (NOW + minutes * MINUTE_MS) / 1000
    os.utime(log, (moment, moment))


def named(told: Sequence[tuple[float, Any]]) -> list[tuple[Any, ...]]:
    return [(at, *(item[name] for name in sorted(item))) for at, item in told]


def test_a_mailbox_nearly_at_its_limit_is_told_of_once_until_its_day_is_over(server: Server) -> None:
    new = Mailbox(id=mailbox_id(server.workspace, ANN), workspace=server.workspace, address=ANN, created_at=NOW,
                  daily_limit=20)  # fmt: skip
    server.ledger.mailboxes.add(new)
    draft = server.alert(QUOTA)
    server.send(15, 0.2)
    server.tick(1)
    assert server.told() == []
    server.send(1, 1.5)
    server.tick(2)
    assert server.send(9, 2.5) == 4
    server.tick(3)
    expected = [(2, "MAILBOX", ANN, 80.0, "DAY")]
    assert named(server.told()) == expected
    assert server.alerting.trial(server.workspace, draft, NOW + 4 * MINUTE_MS).fired
    tomorrow = NOW + 24 * HOUR_MS
    assert not server.alerting.trial(server.workspace, draft, tomorrow).fired, "the window is over"
    for hour in range(1, 30):
        server.tick(hour * 60)
    assert named(server.told()) == expected
    assert server.tried(draft) == [2]


def test_limits_of_the_operator_and_of_governed_domains(server: Server) -> None:
    added(server.ledger, Domain(id=0, workspace=server.workspace, name="ours.example", created_at=NOW, daily_limit=100,
                                hourly_fraction=0.1, monthly_limit=12))  # fmt: skip
    server.ledger.send_limits.put(SenderLimit(kind=LimitKind.LOGIN, name="*", hourly=4))
    server.ledger.send_limits.put(SenderLimit(kind=LimitKind.DOMAIN, name="other.example", monthly=2))
    draft = server.alert(QUOTA)
    server.send(8, 0.1)
    server.send(4, 0.2, "bob@nobody.example", "bob")
    server.send(2, 0.3, "eve@other.example")
    server.tick(1)
    server.send(4, 1.1)
    server.tick(2)
    assert sorted(named(server.told())) == [
        (1, "DOMAIN", "other.example", 100.0, "MONTH"),
        (1, "DOMAIN", "ours.example", 80.0, "HOUR"),
        (1, "LOGIN", "bob", 100.0, "HOUR"),
        (2, "DOMAIN", "other.example", 100.0, "MONTH"),
        (2, "DOMAIN", "ours.example", 83.3, "MONTH"),
        (2, "DOMAIN", "ours.example", 100.0, "HOUR"),
        (2, "LOGIN", "bob", 100.0, "HOUR"),
    ]
    assert server.tried(draft, NOW + HOUR_MS) == [1, 2]
    for minute in (1441, 1442):
        server.tick(minute)
    assert [at for at, *_ in named(server.told())][-2:] == [1442, 1442], "a month's limit is said again after a day"
    assert server.tried(draft, NOW + 25 * HOUR_MS) == [1, 2, 1442]


def test_a_limit_that_is_raised_or_taken_away_is_told_of_no_more(server: Server) -> None:
    governance = governance_of(OutboundSettings(), server.ledger)
    added(server.ledger, Domain(id=0, workspace=server.workspace, name="ours.example", created_at=NOW,
                                monthly_limit=10, daily_limit=20))  # fmt: skip
    server.ledger.send_limits.put(SenderLimit(kind=LimitKind.LOGIN, name="*", daily=10))
    draft = server.alert(QUOTA)
    server.send(9, 0.1, login="bob")
    server.tick(1)
    assert sorted(named(server.told())) == [
        (1, "DOMAIN", "ours.example", 90.0, "MONTH"), (1, "LOGIN", "bob", 90.0, "DAY")
    ]  # fmt: skip

    def firing(minute: int) -> list[tuple[str, float]]:
        trial = server.alerting.trial(server.workspace, draft, NOW + minute * MINUTE_MS)
        return [(item["name"], item["value"]) for rule in trial.fired for item in rule.matchings["items"]]

    again = SharedFacts(server.ledger, server.alerting.evaluate)  # as after a restart: it knows what was told
    governance.change("ours.example", {"monthly_limit": 12}, "us", NOW + MINUTE_MS)
    server.ledger.send_limits.remove(LimitKind.LOGIN, "*")
    again.look(NOW + 2 * MINUTE_MS)
    assert firing(2) == [], "75 % of one, and the other is gone"
    governance.change("ours.example", {"monthly_limit": 11}, "us", NOW + 2 * MINUTE_MS)
    server.ledger.send_limits.put(SenderLimit(kind=LimitKind.LOGIN, name="bob", daily=10))
    again.look(NOW + 3 * MINUTE_MS)
    assert firing(3) == [("ours.example", 81.8)], "of a limit that was gone nothing is told before its next step"
    again.look(NOW + 4 * MINUTE_MS)
    kept = server.ledger.observations.latest(server.workspace, [ObservationKind.QUOTA], ["ours.example"])
    assert max(one.at for one in kept) == NOW + 3 * MINUTE_MS, "told once"


def test_a_domain_that_the_guillotine_stops_and_somebody_restores(server: Server) -> None:
    added(server.ledger, Domain(id=0, workspace=server.workspace, name="ours.example", created_at=NOW))
    draft = server.alert({"type": "MV_SENDING_STOPPED", "domains": ["ALL_DOMAINS"]})
    governance = governance_of(OutboundSettings(), server.ledger)
    server.send(1, 0)
    server.tick(1)
    governance.feedback("ours.example", Feedback(bounces=1, message_id="1"), NOW + MINUTE_MS)
    for minute in (2, 3, 4):
        server.tick(minute)
    governance.change("ours.example", {"status": OutboundStatus.ACTIVE}, "us", NOW + 4 * MINUTE_MS)
    server.tick(5)
    assert not server.alerting.trial(server.workspace, draft, NOW + 5 * MINUTE_MS).fired
    governance.change("ours.example", {"closed": True}, "us", NOW + 5 * MINUTE_MS)
    server.tick(6)
    assert named(server.told()) == [(2, "ours.example"), (6, "ours.example")]
    assert server.tried(draft, NOW + HOUR_MS) == [2, 6]


def test_a_log_that_falls_silent_and_is_written_again(server: Server) -> None:
    draft = server.alert({"type": "MV_LOG_SILENT", "logs": ["ANY"], "minutes": 10})
    for minute in range(1, 13):
        server.tick(minute)
    written(server.log, 12.5)
    server.tick(13)
    assert not server.alerting.trial(server.workspace, draft, NOW + 13 * MINUTE_MS).fired
    for minute in range(14, 24):
        server.tick(minute)
    server.log.unlink()
    server.tick(24)
    assert named(server.told()) == [(10, str(server.log), 10), (23, str(server.log), 10)]
    assert server.tried(draft, NOW + HOUR_MS) == [10, 23]
    for hour in range(1, 26):
        server.tick(hour * 60 + 23)
    assert [at for at, *_ in named(server.told())] == [10, 23, 23 + 24 * 60], "again after a day"
    assert server.tried(draft, NOW + 25 * HOUR_MS) == [10, 23, 23 + 24 * 60]


def test_a_server_that_begins_anew_knows_what_was_silent(server: Server) -> None:
    draft = server.alert({"type": "MV_LOG_SILENT", "logs": [str(server.log)], "minutes": 10})
    for minute in (6, 10):
        server.tick(minute)
    again = server._replace(
        local=LocalFacts(server.ledger, [PostfixLog(server.log, "ours")]),
        shared=SharedFacts(server.ledger, server.alerting.evaluate),
    )
    again.tick(11)
    written(server.log, 11.5)
    again.tick(12)
    assert [at for at, *_ in named(server.told())] == [10]
    assert not server.alerting.trial(server.workspace, draft, NOW + 40 * MINUTE_MS).fired
    assert server.tried(draft, NOW + HOUR_MS) == [10]


def test_a_source_that_fails_and_a_blocklist_that_is_unknown(server: Server) -> None:
    draft = server.alert({"type": "MV_SOURCE_FAILING", "sources": ["ANY"], "hours": 2})
    server.watched.add(server.workspace, AssetKind.IP, ["192.0.2.1"], NOW)
    zone = shipped()[0].host
    server.watched.failed(server.workspace, Source.SNDS, "the key is not valid", NOW + MINUTE_MS)
    server.ledger.zones.save_zone_health([ZoneHealth(host=zone, usable=False, reason="refuses", checked_at=NOW)])
    for minute in range(20, 180, 20):
        server.tick(minute)
    assert named(server.told()) == [(120, zone, 2.0), (140, zone, 2.3), (140, "snds", 2.3)]
    server.ledger.zones.save_zone_health([ZoneHealth(host=zone, usable=True, checked_at=NOW)])
    refreshed = Refresh(source=Source.SNDS, kind=AssetKind.SNDS, asset="key", at=NOW + 170 * MINUTE_MS)
    server.watched.record(server.workspace, [refreshed], NOW + 170 * MINUTE_MS)
    server.tick(180)
    assert not server.alerting.trial(server.workspace, draft, NOW + 180 * MINUTE_MS).fired
    assert server.tried(draft, NOW + 5 * HOUR_MS) == [120, 121], "to the minute, where the test looks every twenty"


def test_reports_that_cannot_be_fetched(server: Server) -> None:
    draft = server.alert({"type": "MV_SOURCE_FAILING", "sources": ["report mailbox"], "hours": 0})
    server.watched.fetched(server.workspace, Source.DMARC, "login refused", NOW + MINUTE_MS)
    server.tick(1)
    came = Refresh(source=Source.DMARC, kind=AssetKind.DMARC, asset="", at=NOW + 2 * MINUTE_MS)
    server.watched.record(server.workspace, [came], NOW + 2 * MINUTE_MS)  # from the directory, or brought by hand
    server.watched.fetched(server.workspace, Source.DMARC, "login refused", NOW + 2 * MINUTE_MS)
    (health,) = server.watched.health(server.workspace)
    assert (health.failures, health.succeeded_at, health.is_unfetched) == (1, NOW + 2 * MINUTE_MS, True)
    server.tick(2)
    server.watched.fetched(server.workspace, Source.DMARC, "", NOW + 3 * MINUTE_MS)
    server.tick(3)
    assert named(server.told()) == [(1, "report mailbox", 0.0)]
    assert not server.alerting.trial(server.workspace, draft, NOW + 3 * MINUTE_MS).fired
    assert server.tried(draft, NOW + HOUR_MS) == [1]
    told = server.watched.observations(server.workspace, [ObservationKind.SOURCE_STATE], 0, NOW * 2)
    assert sorted((one.asset, one.data["holds"]) for one in told) == [
        ("dmarc", False), ("dmarc", True), ("report mailbox", False), ("report mailbox", True)
    ]  # fmt: skip


def test_a_heartbeat_that_is_missed_returns_and_is_deleted(server: Server) -> None:
    heartbeats = Heartbeats(server.ledger.heartbeats)
    made = heartbeats.create(server.workspace, "report mailbox", 120, 60, NOW)
    missed = server.alert({"type": "MV_HEARTBEAT_MISSED", "heartbeats": ["ANY"]})
    returned = server.alert({"type": "MV_HEARTBEAT_RETURNED", "heartbeats": ["report mailbox"]})
    server.tick(1)
    server.tick(2)
    assert server.told() == []
    server.tick(3)
    server.tick(4)
    heartbeats.call(made.secret, NOW + 4 * MINUTE_MS + 1)
    server.tick(5)
    assert not server.alerting.trial(server.workspace, missed, NOW + 5 * MINUTE_MS).fired
    server.tick(6)
    expected = [(3, "report mailbox", 3), (5, "report mailbox", 4)]
    assert named(server.told()) == expected
    for minute in (7, 8):
        server.tick(minute)
    assert named(server.told())[2:] == [(8, "report mailbox", 3)], "missed a second time"
    assert not server.alerting.trial(server.workspace, returned, NOW + 8 * MINUTE_MS).fired
    heartbeats.remove(server.workspace, made.heartbeat.id)
    server.tick(9)
    for draft in (missed, returned):
        assert not server.alerting.trial(server.workspace, draft, NOW + 9 * MINUTE_MS).fired
    assert len(server.told()) == 3
    assert server.tried(missed, NOW + HOUR_MS) == [3, 8]
    assert server.tried(returned, NOW + HOUR_MS) == [5]


def test_a_call_is_written_down_once_a_second_and_never_goes_back(server: Server) -> None:
    heartbeats = Heartbeats(server.ledger.heartbeats)
    made = heartbeats.create(server.workspace, "backup", 60, 0, NOW)
    for at, kept in ((NOW + 5000, 5000), (NOW + 5999, 5000), (NOW + 6000, 6000), (NOW, 6000)):
        heartbeats.call(made.secret, at)
        assert heartbeats.named(server.workspace, "backup").called_at == NOW + kept
    with pytest.raises(NotFound):
        heartbeats.call(made.secret + "x", NOW)
    with pytest.raises(AlreadyExists):
        heartbeats.create(server.workspace, "backup", 60, 0, NOW)
    other = Tenancy(server.ledger.tenants, "").create_workspace("theirs", NOW).id
    heartbeats.create(other, "backup", 60, 0, NOW)
    with pytest.raises(NotFound):
        heartbeats.remove(other, made.heartbeat.id)
    assert [len(heartbeats.all(each)) for each in (server.workspace, other)] == [1, 1]
