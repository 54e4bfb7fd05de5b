"""What is watched, observed, alerted and told, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.identifiers import new_id
from mailvane.dmarc.model import AggregateReport, RowQuestion
from mailvane.notify.model import (
    Attempt,
    Channel,
    Notification,
    NotificationState,
    SigningSecret,
    SlackIntegration,
    Target,
)
from mailvane.reputation.alerts.model import (
    Alert,
    AlertState,
    EntryState,
    FiredRule,
    LogEntry,
    MaintenanceWindow,
    RuleState,
)
from mailvane.reputation.model import (
    Asset,
    AssetKind,
    AssetStatus,
    Observation,
    ObservationKind,
    Profile,
    Source,
    Zone,
    ZoneHealth,
)
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000
LISTING = (ObservationKind.IP_LISTING,)
ODD = 'NUL \0, half a pair \ud800, "quotes", ünïcödé'


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


@pytest.fixture
def two(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("two", NOW).id


def asset(workspace: int, name: str, kind: AssetKind = AssetKind.IP, profile_id: str | None = None) -> Asset:
    return Asset(id=new_id(), workspace=workspace, kind=kind, name=name, created_at=NOW, profile_id=profile_id)


def listing(name: str, at: int, listed: bool = True, zone: str = "bl.example", seen_at: int = 0) -> Observation:
    return Observation(
        kind=ObservationKind.IP_LISTING, asset=name, key=zone, at=at, seen_at=seen_at or at, data={"listed": listed}
    )


def alert(workspace: int, name: str = "listed", profile_id: str | None = None) -> Alert:
    return Alert(
        id=new_id(), workspace=workspace, name=name, created_at=NOW, updated_at=NOW, profile_id=profile_id,
        rules=({"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]},),
    )  # fmt: skip


def entry(of: Alert, at: int = NOW, in_daily_report: bool = False) -> LogEntry:
    fired = FiredRule(type="IP_IN_RBL", snapshot={"data": []}, matchings={"items": [{"ip": "192.0.2.1"}], "count": 1})
    return LogEntry(
        id=new_id(), workspace=of.workspace, alert_id=of.id, profile_id=of.profile_id, name=of.name, at=at,
        rules=(fired,), in_daily_report=in_daily_report,
    )  # fmt: skip


def message(workspace: int, next_at: int = NOW, ident: str | None = None) -> Notification:
    return Notification(
        id=ident or new_id(), workspace=workspace, channel=Channel.WEBHOOK, target="https://hooks.example/x",
        body={"name": ODD}, created_at=NOW, next_at=next_at,
    )  # fmt: skip


def test_profiles_have_names_of_their_own_within_a_workspace(ledger: Ledger, one: int, two: int) -> None:
    for workspace in (one, two):
        ledger.profiles.add_profile(Profile(id=new_id(), workspace=workspace, name="clients", created_at=NOW))
    with pytest.raises(AlreadyExists):
        ledger.profiles.add_profile(Profile(id=new_id(), workspace=one, name="clients", created_at=NOW))
    (known,) = ledger.profiles.profiles(one)
    with pytest.raises(NotFound):
        ledger.profiles.save_profile(msgspec.structs.replace(known, workspace=two, name="stolen"))
    ledger.profiles.save_profile(msgspec.structs.replace(known, name="customers"))
    assert [profile.name for profile in ledger.profiles.profiles(one)] == ["customers"]
    with pytest.raises(NotFound):
        ledger.profiles.remove_profile(two, known.id)


def test_what_had_a_profile_that_is_removed_has_none(ledger: Ledger, one: int) -> None:
    profile = ledger.profiles.add_profile(Profile(id=new_id(), workspace=one, name="clients", created_at=NOW))
    (watched,) = ledger.assets.add_assets([asset(one, "192.0.2.1", profile_id=profile.id)])
    ledger.alerts.add_alert(alert(one, profile_id=profile.id))
    assert ledger.assets.assets(one, {AssetKind.IP}, profile.id) == [watched]
    assert [known.profile_id for known in ledger.alerts.alerts(one, profile.id)] == [profile.id]
    ledger.profiles.remove_profile(one, profile.id)
    assert [known.profile_id for known in ledger.assets.assets(one, {AssetKind.IP})] == [None]
    assert [known.profile_id for known in ledger.alerts.alerts(one)] == [None]


def test_an_asset_that_is_watched_already_stays_as_it_is(ledger: Ledger, one: int, two: int) -> None:
    first, second = ledger.assets.add_assets([asset(one, "192.0.2.2"), asset(one, "192.0.2.1")])
    assert (first.name, second.name) == ("192.0.2.2", "192.0.2.1")
    again = ledger.assets.add_assets([asset(one, "192.0.2.1"), asset(two, "192.0.2.1"), asset(one, "192.0.2.3")])
    assert again[0] == second
    assert again[1].workspace == two
    assert [known.name for known in ledger.assets.assets(one, {AssetKind.IP})] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]
    assert len(ledger.assets.assets(None, {AssetKind.IP})) == 4
    assert ledger.assets.assets(one, {AssetKind.DOMAIN}) == []


def test_an_asset_is_changed_and_removed_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    (known,) = ledger.assets.add_assets([asset(one, "192.0.2.1")])
    changed = ledger.assets.change_asset(
        one, known.id, lambda it: msgspec.structs.replace(it, status=AssetStatus.FAILED, error=ODD, details={"a": [1]})
    )
    assert changed.status == AssetStatus.FAILED
    found = ledger.assets.asset(one, AssetKind.IP, known.id)
    assert found is not None
    assert found.details == {"a": [1]}
    assert ledger.assets.asset(two, AssetKind.IP, known.id) is None
    assert ledger.assets.asset(one, AssetKind.DOMAIN, known.id) is None
    with pytest.raises(NotFound):
        ledger.assets.change_asset(two, known.id, lambda it: it)
    with pytest.raises(NotFound):
        ledger.assets.remove_asset(two, AssetKind.IP, known.id)
    ledger.assets.remove_asset(one, AssetKind.IP, known.id)
    assert ledger.assets.asset(one, AssetKind.IP, known.id) is None


def test_thousands_of_assets_are_added_at_once(ledger: Ledger, one: int) -> None:
    new = [asset(one, f"10.0.{n // 256}.{n % 256}") for n in range(1500)]
    assert [known.id for known in ledger.assets.add_assets(new)] == [each.id for each in new]


def test_many_assets_are_changed_at_once_by_their_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    names = [f"10.0.{n // 256}.{n % 256}" for n in range(1100)]
    ours = ledger.assets.add_assets([asset(one, name) for name in names])
    (theirs,) = ledger.assets.add_assets([asset(two, "192.0.2.1")])
    (gone,) = ledger.assets.add_assets([asset(one, "192.0.2.9")])
    ledger.assets.remove_asset(one, AssetKind.IP, gone.id)
    marked = {known.id: partial(marked_with, name) for known, name in zip(ours, names, strict=True)}
    ledger.assets.change_assets(
        one, {**marked, theirs.id: partial(marked_with, "x"), gone.id: partial(marked_with, "x")}
    )
    assert {known.name: known.error for known in ledger.assets.assets(one, {AssetKind.IP})} == dict(
        zip(names, names, strict=True)
    )
    assert ledger.assets.assets(two, {AssetKind.IP}) == [theirs]
    ledger.assets.change_assets(one, {})


def marked_with(text: str, known: Asset) -> Asset:
    return msgspec.structs.replace(known, error=text)


def test_the_same_observation_again_is_confirmed_only(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(one, [listing("192.0.2.1", NOW)])
    again = msgspec.structs.replace(listing("192.0.2.1", NOW), confirmed_at=NOW + HOUR, data={"listed": False})
    ledger.observations.observe(one, [again])
    ledger.observations.observe(one, [msgspec.structs.replace(again, confirmed_at=NOW + 1)])
    (known,) = ledger.observations.latest(one, LISTING)
    assert (known.confirmed_at, known.data, known.seen_at) == (NOW + HOUR, {"listed": True}, NOW)


def test_a_day_that_its_source_corrects_is_as_it_was_said_last(ledger: Ledger, one: int) -> None:
    day = Observation(kind=ObservationKind.TRAFFIC, asset="a.example", at=NOW, seen_at=NOW, data={"spfSuccessRatio": 1})
    ledger.observations.observe(one, [day])
    corrected = msgspec.structs.replace(day, confirmed_at=NOW + HOUR, data={"spfSuccessRatio": 0.5})
    ledger.observations.observe(one, [corrected])
    ledger.observations.observe(one, [msgspec.structs.replace(day, confirmed_at=NOW + 1)])
    (known,) = ledger.observations.latest(one, [ObservationKind.TRAFFIC])
    assert known.data == {"spfSuccessRatio": 0.5}


def test_how_all_stand_names_nobody(ledger: Ledger, one: int, two: int) -> None:
    ledger.observations.observe(
        one, [listing("192.0.2.1", NOW), listing("192.0.2.2", NOW), listing("192.0.2.3", NOW, listed=False)]
    )
    ledger.observations.observe(one, [listing("192.0.2.2", NOW + 1, listed=False)])
    ledger.observations.observe(two, [listing("192.0.2.2", NOW)])
    for workspace, succeeded in ((one, NOW), (two, NOW - HOUR)):
        ledger.observations.save_health(
            workspace, Source.BLOCKLISTS, partial(msgspec.structs.replace, succeeded_at=succeeded)
        )
        refused = partial(msgspec.structs.replace, succeeded_at=NOW, refused=2, refused_at=succeeded)
        ledger.observations.save_health(workspace, Source.DMARC, refused)
    standing = ledger.observations.standing()
    assert standing.open_listings == {ObservationKind.IP_LISTING: 2}
    assert standing.oldest_success == {Source.BLOCKLISTS: NOW - HOUR, Source.DMARC: NOW}
    assert standing.refused == {Source.BLOCKLISTS: 0, Source.DMARC: 4}
    assert standing.refused_at == {Source.BLOCKLISTS: 0, Source.DMARC: NOW}


def test_an_alert_fires_until_somebody_resolves_it(ledger: Ledger, one: int) -> None:
    known = alert(one)
    ledger.alerts.add_alert(known)
    fired = entry(known)
    assert ledger.alert_log.save_evaluation(AlertState(alert_id=known.id), fired, [])
    assert (ledger.alert_log.firing(fired.at), ledger.alert_log.firing(fired.at + 1)) == (1, 0)
    ledger.alert_log.mark_entry(one, fired.id, EntryState.RESOLVED, NOW, "somebody")
    assert ledger.alert_log.firing(fired.at) == 0


def test_the_newest_of_each_asset_and_key_is_found_as_it_was_seen_then(ledger: Ledger, one: int, two: int) -> None:
    ledger.observations.observe(
        one,
        [
            listing("192.0.2.1", NOW),
            listing("192.0.2.1", NOW + HOUR, listed=False),
            listing("192.0.2.1", NOW, zone="other.example"),
            listing("192.0.2.2", NOW),
        ],
    )
    ledger.observations.observe(two, [listing("192.0.2.1", NOW + 2 * HOUR)])
    found = {(known.asset, known.key): known.data["listed"] for known in ledger.observations.latest(one, LISTING)}
    assert found == {
        ("192.0.2.1", "bl.example"): False,
        ("192.0.2.1", "other.example"): True,
        ("192.0.2.2", "bl.example"): True,
    }
    assert {known.asset for known in ledger.observations.latest(one, LISTING, assets=["192.0.2.2", "192.0.2.9"])} == {
        "192.0.2.2"
    }
    earlier = ledger.observations.latest(one, LISTING, assets=["192.0.2.1"], seen_until=NOW)
    assert [known.data["listed"] for known in earlier] == [True, True]
    assert ledger.observations.latest(one, (ObservationKind.TRAFFIC,)) == []


def test_observations_of_a_time_are_found_oldest_first(ledger: Ledger, one: int, two: int) -> None:
    ledger.observations.observe(one, [listing("192.0.2.1", NOW + n * HOUR, zone=f"z{n}") for n in (3, 1, 2)])
    found = ledger.observations.between(one, LISTING, NOW + HOUR, NOW + 3 * HOUR)
    assert [known.key for known in found] == ["z1", "z2"]
    assert ledger.observations.between(one, LISTING, 0, NOW * 2, asset="192.0.2.9") == []
    assert ledger.observations.between(two, LISTING, 0, NOW * 2) == []


def test_old_observations_are_forgotten_but_for_the_newest(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(one, [listing("192.0.2.1", NOW + n) for n in range(3)] + [listing("192.0.2.2", NOW)])
    assert ledger.observations.forget_observations(LISTING, NOW + HOUR) == 2
    assert [(known.asset, known.at) for known in ledger.observations.latest(one, LISTING)] == [
        ("192.0.2.1", NOW + 2),
        ("192.0.2.2", NOW),
    ]


def test_odd_texts_come_back_as_far_as_a_store_can_hold_them(ledger: Ledger, one: int) -> None:
    told = Observation(kind=ObservationKind.FAILURE, asset=ODD, key=ODD, at=NOW, seen_at=NOW, data={"text": ODD})
    ledger.observations.observe(one, [told])
    (known,) = ledger.observations.latest(one, (ObservationKind.FAILURE,))
    assert known.data["text"] == ODD.replace("\ud800", "\ufffd")
    assert known.asset == ODD.replace("\ud800", "\ufffd").replace("\0", "\ufffd")


def test_the_health_of_a_source_is_changed_where_it_stands(ledger: Ledger, one: int, two: int) -> None:
    assert ledger.observations.health(one) == []
    for _ in range(3):
        ledger.observations.save_health(
            one, Source.SNDS, lambda known: msgspec.structs.replace(known, failures=known.failures + 1, error="no")
        )
    assert [(known.source, known.failures, known.error) for known in ledger.observations.health(one)] == [
        (Source.SNDS, 3, "no")
    ]
    assert ledger.observations.health(two) == []


def test_changed_zones_and_their_health_are_kept(ledger: Ledger) -> None:
    ledger.zones.save_zone(Zone(host="bl.example", enabled=False))
    ledger.zones.save_zone(Zone(host="bl.example", codes={"127.0.0.2": "spam"}))
    assert ledger.zones.zones() == [Zone(host="bl.example", codes={"127.0.0.2": "spam"})]
    ledger.zones.save_zone_health([ZoneHealth(host="bl.example", usable=False, reason="wildcard", checked_at=NOW)])
    ledger.zones.save_zone_health([ZoneHealth(host="bl.example", usable=True, checked_at=NOW + 1)])
    assert ledger.zones.zone_health() == [ZoneHealth(host="bl.example", usable=True, checked_at=NOW + 1)]
    ledger.zones.forget_zone("bl.example")
    assert ledger.zones.zones() == []
    with pytest.raises(NotFound):
        ledger.zones.forget_zone("bl.example")


def test_an_alert_is_kept_changed_and_removed_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    first = alert(one, ODD.replace("\ud800", ""))
    ledger.alerts.add_alert(first)
    assert ledger.alerts.alert(one, first.id) == first
    assert ledger.alerts.alert(two, first.id) is None
    with pytest.raises(NotFound):
        ledger.alerts.change_alert(two, first.id, lambda it: it)
    changed = ledger.alerts.change_alert(one, first.id, lambda it: msgspec.structs.replace(it, is_active=False))
    assert ledger.alerts.alerts(None) == [changed]
    with pytest.raises(NotFound):
        ledger.alerts.remove_alert(two, first.id)
    ledger.alerts.remove_alert(one, first.id)
    assert ledger.alerts.alerts(one) == []


def test_windows_are_found_while_they_are_open(ledger: Ledger, one: int, two: int) -> None:
    window = MaintenanceWindow(id=new_id(), workspace=one, since=NOW, until=NOW + HOUR, reason="move")
    ledger.alerts.add_window(window)
    assert ledger.alerts.windows(one, NOW) == [window]
    assert ledger.alerts.windows(one, NOW + HOUR) == []
    assert ledger.alerts.windows(one) == [window]
    assert ledger.alerts.windows(two) == []
    with pytest.raises(NotFound):
        ledger.alerts.remove_window(two, window.id)
    ledger.alerts.remove_window(one, window.id)
    assert ledger.alerts.windows(one) == []


def test_of_two_evaluations_at_once_one_is_kept(ledger: Ledger, one: int) -> None:
    of = alert(one)
    ledger.alerts.add_alert(of)

    def remember(n: int) -> bool:
        said = {"0": RuleState(matched_at=NOW, said={"x": n})}
        return ledger.alert_log.save_evaluation(AlertState(alert_id=of.id, rules=said), entry(of), [message(one)])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(remember, range(8))) == [False] * 7 + [True]
    memory = ledger.alert_log.states([of.id, "unknown"])[of.id]
    assert memory.version == 1
    assert ledger.alert_log.save_evaluation(memory, None, [])
    assert not ledger.alert_log.save_evaluation(memory, entry(of), [message(one)])
    assert ledger.alert_log.entries(EntryQuestion(workspace=one)).total == 1
    assert len(ledger.outbox.notifications(one)) == 1


def test_why_alerts_could_not_be_evaluated_is_read_without_their_evidence(ledger: Ledger, one: int) -> None:
    of, well = alert(one), alert(one)
    for each in (of, well):
        ledger.alerts.add_alert(each)
    rules = {"k": RuleState(failing="no luck"), "l": RuleState(said={"x": NOW})}
    assert ledger.alert_log.save_evaluation(AlertState(alert_id=of.id, rules=rules, failing="broken"), None, [])
    assert ledger.alert_log.save_evaluation(
        AlertState(alert_id=well.id, rules={"l": RuleState(said={"x": NOW})}), None, []
    )
    assert ledger.alert_log.failures([of.id, well.id, "unknown"]) == {of.id: {"": "broken", "k": "no luck"}}
    assert ledger.alert_log.states([of.id])[of.id].failures == {"": "broken", "k": "no luck"}


def test_an_alert_that_is_gone_is_not_remembered(ledger: Ledger, one: int) -> None:
    of = alert(one)
    ledger.alerts.add_alert(of)
    assert ledger.alert_log.save_evaluation(AlertState(alert_id=of.id), entry(of), [])
    ledger.alerts.remove_alert(one, of.id)
    assert not ledger.alert_log.save_evaluation(AlertState(alert_id=of.id, version=1), entry(of), [message(one)])
    assert ledger.alert_log.states([of.id]) == {}
    assert ledger.alert_log.entries(EntryQuestion(workspace=one, alert_id=of.id)).total == 1, "its log stays"


def test_log_entries_are_found_by_alert_profile_time_and_report(ledger: Ledger, one: int, two: int) -> None:
    first, second = alert(one), alert(one, profile_id="p" * 24)
    for of in (first, second):
        ledger.alerts.add_alert(of)
    for n in range(5):
        assert ledger.alert_log.save_evaluation(
            AlertState(alert_id=first.id, version=n), entry(first, NOW + n * HOUR), []
        )
    assert ledger.alert_log.save_evaluation(
        AlertState(alert_id=second.id), entry(second, NOW, in_daily_report=True), []
    )
    ask = partial(EntryQuestion, workspace=one)
    page = ledger.alert_log.entries(ask(alert_id=first.id, offset=1, limit=2))
    assert (page.total, [found.at for found in page.entries]) == (5, [NOW + 3 * HOUR, NOW + 2 * HOUR])
    oldest = ledger.alert_log.entries(ask(alert_id=first.id, newest_first=False, limit=1)).entries
    assert [found.at for found in oldest] == [NOW]
    assert ledger.alert_log.entries(ask(since=NOW + HOUR, until=NOW + 3 * HOUR)).total == 2
    assert ledger.alert_log.entries(ask(profile_id="p" * 24)).total == 1
    assert ledger.alert_log.entries(ask(daily_report_only=True)).total == 1
    assert ledger.alert_log.entries(EntryQuestion(workspace=two)).total == 0


def test_a_log_entry_is_acknowledged_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    of = alert(one)
    ledger.alerts.add_alert(of)
    fired = entry(of)
    ledger.alert_log.save_evaluation(AlertState(alert_id=of.id), fired, [])
    with pytest.raises(NotFound):
        ledger.alert_log.mark_entry(two, fired.id, EntryState.ACKNOWLEDGED, NOW, "eve")
    marked = ledger.alert_log.mark_entry(one, fired.id, EntryState.ACKNOWLEDGED, NOW + 1, "ann")
    assert ledger.alert_log.entry(one, fired.id) == marked
    assert (marked.state, marked.state_at, marked.state_by) == (EntryState.ACKNOWLEDGED, NOW + 1, "ann")
    assert ledger.alert_log.entry(two, fired.id) is None


def test_a_message_is_taken_by_one_and_comes_again_when_that_one_dies(ledger: Ledger, one: int) -> None:
    ledger.outbox.post([message(one, NOW + n) for n in range(40)] + [message(one, NOW + HOUR)])
    with ThreadPoolExecutor(4) as pool:
        taken = [
            each.id for batch in pool.map(lambda _: ledger.outbox.take(NOW + 100, 10, HOUR), range(4)) for each in batch
        ]
    assert len(taken) == len(set(taken))
    rest = [each.id for each in ledger.outbox.take(NOW + 100, 100, HOUR)]
    assert len({*taken, *rest}) == 40
    assert ledger.outbox.take(NOW + 100, 10, HOUR) == []
    again = ledger.outbox.take(NOW + 100 + HOUR, 100, HOUR)
    assert len(again) == 41


def test_a_settled_message_has_its_attempts_and_is_not_taken_again(ledger: Ledger, one: int, two: int) -> None:
    ledger.outbox.post([message(one, ident="report-2026-11-20"), message(one, ident="report-2026-11-20")])
    (taken,) = ledger.outbox.take(NOW, 10, HOUR)
    late = msgspec.structs.replace(taken, attempts=1, next_at=NOW + 5)
    ledger.outbox.settle_notification(late, Attempt(at=NOW, took_ms=3, outcome="transient", detail=ODD))
    assert ledger.outbox.take(NOW, 10, HOUR) == []
    (taken,) = ledger.outbox.take(NOW + 5, 10, HOUR)
    done = msgspec.structs.replace(taken, attempts=2, state=NotificationState.DELIVERED, delivered_at=NOW + 6)
    ledger.outbox.settle_notification(done, Attempt(at=NOW + 6, took_ms=2, outcome="delivered", detail="204"))
    assert ledger.outbox.take(NOW * 2, 10, HOUR) == []
    assert [attempt.outcome for attempt in ledger.outbox.attempts(one, taken.id)] == ["transient", "delivered"]
    assert ledger.outbox.notifications(one, NotificationState.PENDING) == []
    assert ledger.outbox.notifications(two) == []
    assert ledger.outbox.states(one, taken.created_at) == {NotificationState.DELIVERED: 1}
    assert ledger.outbox.states(one, taken.created_at + 1) == ledger.outbox.states(two, 0) == {}
    with pytest.raises(NotFound):
        ledger.outbox.attempts(two, taken.id)


def test_old_messages_are_forgotten_with_their_attempts_unless_they_are_on_their_way(ledger: Ledger, one: int) -> None:
    waiting = ledger.outbox.notifications_waiting()
    ledger.outbox.post([message(one), message(one), message(one, NOW + HOUR)])
    assert ledger.outbox.notifications_waiting() == waiting + 3
    (told,) = ledger.outbox.take(NOW, 1, HOUR)
    done = msgspec.structs.replace(told, state=NotificationState.DELIVERED)
    ledger.outbox.settle_notification(done, Attempt(at=NOW, took_ms=1, outcome="delivered", detail=""))
    assert ledger.outbox.notifications_waiting() == waiting + 2
    assert ledger.outbox.forget_notifications(told.created_at) == 0
    assert ledger.outbox.forget_notifications(told.created_at + 1) == 1
    assert told.id not in {left.id for left in ledger.outbox.notifications(one)}
    assert len(ledger.outbox.notifications(one)) == 2
    with pytest.raises(NotFound):
        ledger.outbox.attempts(one, told.id)


def test_a_message_is_sent_again_by_hand_also_to_a_target_that_was_switched_off(ledger: Ledger, one: int) -> None:
    ledger.outbox.post([message(one)])
    (taken,) = ledger.outbox.take(NOW, 1, HOUR)
    off = msgspec.structs.replace(taken, state=NotificationState.DISABLED, attempts=9)
    ledger.outbox.settle_notification(off, Attempt(at=NOW, took_ms=0, outcome="permanent"))
    ledger.outbox.save_target(
        Target(workspace=one, channel=taken.channel, target=taken.target, failing_since=NOW, disabled_at=NOW)
    )
    again = ledger.outbox.resend(one, taken.id, NOW + HOUR)
    assert (again.state, again.attempts) == (NotificationState.PENDING, 0)
    assert [target.disabled_at for target in ledger.outbox.targets(one)] == [0]
    assert [each.id for each in ledger.outbox.take(NOW + HOUR, 1, HOUR)] == [taken.id]
    with pytest.raises(NotFound):
        ledger.outbox.resend(one + 1, taken.id, NOW)


def test_two_secrets_live_while_one_is_replaced(ledger: Ledger, one: int, two: int) -> None:
    old = SigningSecret(workspace=one, secret="whsec_old", created_at=NOW, expires_at=NOW + HOUR)
    new = SigningSecret(workspace=one, secret="whsec_new", created_at=NOW + 1)
    ledger.channels.change_signing_secrets(one, NOW, lambda _: [old, new])
    assert ledger.channels.signing_secrets(one, NOW + 2) == [new, old]
    assert ledger.channels.signing_secrets(one, NOW + HOUR) == [new]
    assert ledger.channels.signing_secrets(two, NOW) == []


def test_slack_integrations_belong_to_a_workspace(ledger: Ledger, one: int, two: int) -> None:
    integration = SlackIntegration(id=new_id(), workspace=one, name="ops", url="https://h.example", created_at=NOW)
    ledger.channels.add_slack_integration(integration)
    assert ledger.channels.slack_integrations(one) == [integration]
    assert ledger.channels.slack_integrations(two) == []
    with pytest.raises(NotFound):
        ledger.channels.remove_slack_integration(two, integration.id)
    ledger.channels.remove_slack_integration(one, integration.id)


def report(domain: str = "a.example", report_id: str = "r1", ends: int = NOW) -> AggregateReport:
    return AggregateReport(
        id=new_id(), organisation="reporter", report_id=report_id, domain=domain, begins=ends - HOUR, ends=ends,
        received_at=NOW, head={"policy": {"p": "none"}}, messages=3, rows=2,
    )  # fmt: skip


def test_a_report_is_kept_once_with_its_rows(ledger: Ledger, one: int, two: int) -> None:
    rows = [
        {"source_ip": "192.0.2.1", "count": 1, "dkim_aligned": True, "spf_aligned": False},
        {"source_ip": "192.0.2.2", "count": 2, "dkim_aligned": False, "spf_aligned": False},
    ]
    first = report()
    assert ledger.reports.add_report(one, first, iter(rows))
    assert not ledger.reports.add_report(one, report(), iter(rows))
    assert ledger.reports.add_report(two, report(), iter(rows))
    assert ledger.reports.add_report(one, report("b.example", ends=NOW + HOUR), [])
    assert ledger.reports.reports(one, 0, NOW + 1) == [first]
    assert len(ledger.reports.reports(one, 0, NOW * 2)) == 2
    ask = partial(RowQuestion, workspace=one, since=0, until=NOW * 2)
    total, found = ledger.reports.report_rows(ask())
    assert (total, [row["source_ip"] for row in found]) == (2, ["192.0.2.2", "192.0.2.1"])
    assert found[0]["organisation"] == "reporter"
    assert [row["count"] for row in ledger.reports.report_rows(ask(failing_only=True))[1]] == [2]
    assert ledger.reports.report_rows(ask(source_ip="192.0.2.1"))[0] == 1
    assert ledger.reports.report_rows(ask(domain="b.example"))[0] == 0
    assert ledger.reports.report_rows(ask(offset=1, limit=1))[1] == found[1:]


def test_of_a_report_that_cannot_be_read_to_its_end_nothing_is_kept(ledger: Ledger, one: int) -> None:
    def broken() -> object:
        yield {"source_ip": "192.0.2.1", "count": 1}
        raise ValueError("truncated")

    with pytest.raises(ValueError, match="truncated"):
        ledger.reports.add_report(one, report(), broken())  # type: ignore[arg-type]
    assert ledger.reports.reports(one, 0, NOW * 2) == []


def test_a_lease_is_held_by_one_until_it_ends(ledger: Ledger) -> None:
    assert ledger.leases.hold("collect", "a", NOW, HOUR)
    assert not ledger.leases.hold("collect", "b", NOW + 1, HOUR)
    assert ledger.leases.hold("collect", "a", NOW + 2, HOUR)
    assert not ledger.leases.hold("collect", "b", NOW + HOUR, HOUR)
    assert ledger.leases.hold("collect", "b", NOW + 2 + HOUR, HOUR)
    assert ledger.leases.hold("other", "a", NOW, HOUR)


def test_a_lease_is_given_back_by_its_holder_alone(ledger: Ledger) -> None:
    assert ledger.leases.hold("collect", "a", NOW, HOUR)
    ledger.leases.give_back("collect", "b")
    assert [(one.name, one.holder, one.until) for one in ledger.leases.leases(NOW)] == [("collect", "a", NOW + HOUR)]
    ledger.leases.give_back("collect", "a")
    assert ledger.leases.hold("collect", "b", NOW, HOUR)
    assert ledger.leases.leases(NOW + HOUR) == []


def test_a_lease_taken_by_a_clock_that_was_ahead_does_not_last_for_ever(ledger: Ledger) -> None:
    assert ledger.leases.hold("collect", "a", NOW + 24 * HOUR, 1000)
    assert ledger.leases.hold("collect", "b", NOW, 1000)


def test_leases_of_the_dead_are_void(ledger: Ledger) -> None:
    assert ledger.leases.hold("collect", "a", NOW, HOUR)
    assert ledger.leases.hold("fetch", "a", NOW, HOUR)
    assert ledger.leases.void_leases() == 2
    assert ledger.leases.hold("collect", "b", NOW, HOUR)


def test_messages_that_were_taken_and_not_settled_can_be_let_go(ledger: Ledger, one: int) -> None:
    ledger.outbox.post([message(one, ident=name) for name in ("a", "b", "later")])
    later = msgspec.structs.replace(message(one, ident="later"), next_at=NOW + 500, attempts=1)
    ledger.outbox.settle_notification(later, Attempt(at=NOW, took_ms=1, outcome="transient", detail=""))
    assert {each.id for each in ledger.outbox.take(NOW, 10, 1000)} == {"a", "b"}
    assert ledger.outbox.take(NOW, 10, 1000) == []
    assert ledger.outbox.let_go(NOW, 1000, ["a"]) == 1
    assert [each.id for each in ledger.outbox.take(NOW, 10, 1000)] == ["a"]
    assert ledger.outbox.let_go(NOW, 1000) == 2
    assert {each.id for each in ledger.outbox.take(NOW, 10, 1000)} == {"a", "b"}, "what is tried later waits"
