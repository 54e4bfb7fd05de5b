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
from mailvane.reputation.questions import EntryQuestion
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
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000
LISTING = (ObservationKind.IP_LISTING,)
ODD = 'NUL \0, half a pair \ud800, "quotes", ünïcödé'


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.add_workspace("one", NOW).id


@pytest.fixture
def two(ledger: Ledger) -> int:
    return ledger.add_workspace("two", NOW).id


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
        ledger.add_profile(Profile(id=new_id(), workspace=workspace, name="clients", created_at=NOW))
    with pytest.raises(AlreadyExists):
        ledger.add_profile(Profile(id=new_id(), workspace=one, name="clients", created_at=NOW))
    (known,) = ledger.profiles(one)
    with pytest.raises(NotFound):
        ledger.save_profile(msgspec.structs.replace(known, workspace=two, name="stolen"))
    ledger.save_profile(msgspec.structs.replace(known, name="customers"))
    assert [profile.name for profile in ledger.profiles(one)] == ["customers"]
    with pytest.raises(NotFound):
        ledger.remove_profile(two, known.id)


def test_what_had_a_profile_that_is_removed_has_none(ledger: Ledger, one: int) -> None:
    profile = ledger.add_profile(Profile(id=new_id(), workspace=one, name="clients", created_at=NOW))
    (watched,) = ledger.add_assets([asset(one, "192.0.2.1", profile_id=profile.id)])
    ledger.add_alert(alert(one, profile_id=profile.id))
    assert ledger.assets(one, {AssetKind.IP}, profile.id) == [watched]
    assert [known.profile_id for known in ledger.alerts(one, profile.id)] == [profile.id]
    ledger.remove_profile(one, profile.id)
    assert [known.profile_id for known in ledger.assets(one, {AssetKind.IP})] == [None]
    assert [known.profile_id for known in ledger.alerts(one)] == [None]


def test_an_asset_that_is_watched_already_stays_as_it_is(ledger: Ledger, one: int, two: int) -> None:
    first, second = ledger.add_assets([asset(one, "192.0.2.2"), asset(one, "192.0.2.1")])
    assert (first.name, second.name) == ("192.0.2.2", "192.0.2.1")
    again = ledger.add_assets([asset(one, "192.0.2.1"), asset(two, "192.0.2.1"), asset(one, "192.0.2.3")])
    assert again[0] == second
    assert again[1].workspace == two
    assert [known.name for known in ledger.assets(one, {AssetKind.IP})] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert len(ledger.assets(None, {AssetKind.IP})) == 4
    assert ledger.assets(one, {AssetKind.DOMAIN}) == []


def test_an_asset_is_changed_and_removed_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    (known,) = ledger.add_assets([asset(one, "192.0.2.1")])
    changed = ledger.change_asset(
        one, known.id, lambda it: msgspec.structs.replace(it, status=AssetStatus.FAILED, error=ODD, details={"a": [1]})
    )
    assert changed.status == AssetStatus.FAILED
    found = ledger.asset(one, AssetKind.IP, known.id)
    assert found is not None
    assert found.details == {"a": [1]}
    assert ledger.asset(two, AssetKind.IP, known.id) is None
    assert ledger.asset(one, AssetKind.DOMAIN, known.id) is None
    with pytest.raises(NotFound):
        ledger.change_asset(two, known.id, lambda it: it)
    with pytest.raises(NotFound):
        ledger.remove_asset(two, AssetKind.IP, known.id)
    ledger.remove_asset(one, AssetKind.IP, known.id)
    assert ledger.asset(one, AssetKind.IP, known.id) is None


def test_thousands_of_assets_are_added_at_once(ledger: Ledger, one: int) -> None:
    new = [asset(one, f"10.0.{n // 256}.{n % 256}") for n in range(1500)]
    assert [known.id for known in ledger.add_assets(new)] == [each.id for each in new]


def test_many_assets_are_changed_at_once_by_their_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    names = [f"10.0.{n // 256}.{n % 256}" for n in range(1100)]
    ours = ledger.add_assets([asset(one, name) for name in names])
    (theirs,) = ledger.add_assets([asset(two, "192.0.2.1")])
    (gone,) = ledger.add_assets([asset(one, "192.0.2.9")])
    ledger.remove_asset(one, AssetKind.IP, gone.id)
    marked = {known.id: partial(marked_with, name) for known, name in zip(ours, names, strict=True)}
    ledger.change_assets(one, {**marked, theirs.id: partial(marked_with, "x"), gone.id: partial(marked_with, "x")})
    assert {known.name: known.error for known in ledger.assets(one, {AssetKind.IP})} == dict(
        zip(names, names, strict=True)
    )
    assert ledger.assets(two, {AssetKind.IP}) == [theirs]
    ledger.change_assets(one, {})


def marked_with(text: str, known: Asset) -> Asset:
    return msgspec.structs.replace(known, error=text)


def test_the_same_observation_again_is_confirmed_only(ledger: Ledger, one: int) -> None:
    ledger.observe(one, [listing("192.0.2.1", NOW)])
    again = msgspec.structs.replace(listing("192.0.2.1", NOW), confirmed_at=NOW + HOUR, data={"listed": False})
    ledger.observe(one, [again])
    ledger.observe(one, [msgspec.structs.replace(again, confirmed_at=NOW + 1)])
    (known,) = ledger.latest(one, LISTING)
    assert (known.confirmed_at, known.data, known.seen_at) == (NOW + HOUR, {"listed": True}, NOW)


def test_a_day_that_its_source_corrects_is_as_it_was_said_last(ledger: Ledger, one: int) -> None:
    day = Observation(kind=ObservationKind.TRAFFIC, asset="a.example", at=NOW, seen_at=NOW, data={"spfSuccessRatio": 1})
    ledger.observe(one, [day])
    corrected = msgspec.structs.replace(day, confirmed_at=NOW + HOUR, data={"spfSuccessRatio": 0.5})
    ledger.observe(one, [corrected])
    ledger.observe(one, [msgspec.structs.replace(day, confirmed_at=NOW + 1)])
    (known,) = ledger.latest(one, [ObservationKind.TRAFFIC])
    assert known.data == {"spfSuccessRatio": 0.5}


def test_how_all_stand_names_nobody(ledger: Ledger, one: int, two: int) -> None:
    ledger.observe(one, [listing("192.0.2.1", NOW), listing("192.0.2.2", NOW), listing("192.0.2.3", NOW, listed=False)])
    ledger.observe(one, [listing("192.0.2.2", NOW + 1, listed=False)])
    ledger.observe(two, [listing("192.0.2.2", NOW)])
    for workspace, succeeded in ((one, NOW), (two, NOW - HOUR)):
        ledger.save_health(workspace, Source.BLOCKLISTS, partial(msgspec.structs.replace, succeeded_at=succeeded))
        refused = partial(msgspec.structs.replace, succeeded_at=NOW, refused=2, refused_at=succeeded)
        ledger.save_health(workspace, Source.DMARC, refused)
    standing = ledger.standing()
    assert standing.open_listings == {ObservationKind.IP_LISTING: 2}
    assert standing.oldest_success == {Source.BLOCKLISTS: NOW - HOUR, Source.DMARC: NOW}
    assert standing.refused == {Source.BLOCKLISTS: 0, Source.DMARC: 4}
    assert standing.refused_at == {Source.BLOCKLISTS: 0, Source.DMARC: NOW}


def test_an_alert_fires_until_somebody_resolves_it(ledger: Ledger, one: int) -> None:
    known = alert(one)
    ledger.add_alert(known)
    fired = entry(known)
    assert ledger.remember(AlertState(alert_id=known.id), fired, [])
    assert (ledger.firing(fired.at), ledger.firing(fired.at + 1)) == (1, 0)
    ledger.mark_entry(one, fired.id, EntryState.RESOLVED, NOW, "somebody")
    assert ledger.firing(fired.at) == 0


def test_the_newest_of_each_asset_and_key_is_found_as_it_was_seen_then(ledger: Ledger, one: int, two: int) -> None:
    ledger.observe(
        one,
        [
            listing("192.0.2.1", NOW),
            listing("192.0.2.1", NOW + HOUR, listed=False),
            listing("192.0.2.1", NOW, zone="other.example"),
            listing("192.0.2.2", NOW),
        ],
    )
    ledger.observe(two, [listing("192.0.2.1", NOW + 2 * HOUR)])
    found = {(known.asset, known.key): known.data["listed"] for known in ledger.latest(one, LISTING)}
    assert found == {
        ("192.0.2.1", "bl.example"): False,
        ("192.0.2.1", "other.example"): True,
        ("192.0.2.2", "bl.example"): True,
    }
    assert {known.asset for known in ledger.latest(one, LISTING, assets=["192.0.2.2", "192.0.2.9"])} == {"192.0.2.2"}
    earlier = ledger.latest(one, LISTING, assets=["192.0.2.1"], seen_until=NOW)
    assert [known.data["listed"] for known in earlier] == [True, True]
    assert ledger.latest(one, (ObservationKind.TRAFFIC,)) == []


def test_observations_of_a_time_are_found_oldest_first(ledger: Ledger, one: int, two: int) -> None:
    ledger.observe(one, [listing("192.0.2.1", NOW + n * HOUR, zone=f"z{n}") for n in (3, 1, 2)])
    found = ledger.between(one, LISTING, NOW + HOUR, NOW + 3 * HOUR)
    assert [known.key for known in found] == ["z1", "z2"]
    assert ledger.between(one, LISTING, 0, NOW * 2, asset="192.0.2.9") == []
    assert ledger.between(two, LISTING, 0, NOW * 2) == []


def test_old_observations_are_forgotten_but_for_the_newest(ledger: Ledger, one: int) -> None:
    ledger.observe(one, [listing("192.0.2.1", NOW + n) for n in range(3)] + [listing("192.0.2.2", NOW)])
    assert ledger.forget_observations(LISTING, NOW + HOUR) == 2
    assert [(known.asset, known.at) for known in ledger.latest(one, LISTING)] == [
        ("192.0.2.1", NOW + 2),
        ("192.0.2.2", NOW),
    ]


def test_odd_texts_come_back_as_far_as_a_store_can_hold_them(ledger: Ledger, one: int) -> None:
    told = Observation(kind=ObservationKind.FAILURE, asset=ODD, key=ODD, at=NOW, seen_at=NOW, data={"text": ODD})
    ledger.observe(one, [told])
    (known,) = ledger.latest(one, (ObservationKind.FAILURE,))
    assert known.data["text"] == ODD.replace("\ud800", "\ufffd")
    assert known.asset == ODD.replace("\ud800", "\ufffd").replace("\0", "\ufffd")


def test_the_health_of_a_source_is_changed_where_it_stands(ledger: Ledger, one: int, two: int) -> None:
    assert ledger.health(one) == []
    for _ in range(3):
        ledger.save_health(
            one, Source.SNDS, lambda known: msgspec.structs.replace(known, failures=known.failures + 1, error="no")
        )
    assert [(known.source, known.failures, known.error) for known in ledger.health(one)] == [(Source.SNDS, 3, "no")]
    assert ledger.health(two) == []


def test_changed_zones_and_their_health_are_kept(ledger: Ledger) -> None:
    ledger.save_zone(Zone(host="bl.example", enabled=False))
    ledger.save_zone(Zone(host="bl.example", codes={"127.0.0.2": "spam"}))
    assert ledger.zones() == [Zone(host="bl.example", codes={"127.0.0.2": "spam"})]
    ledger.save_zone_health([ZoneHealth(host="bl.example", usable=False, reason="wildcard", checked_at=NOW)])
    ledger.save_zone_health([ZoneHealth(host="bl.example", usable=True, checked_at=NOW + 1)])
    assert ledger.zone_health() == [ZoneHealth(host="bl.example", usable=True, checked_at=NOW + 1)]
    ledger.forget_zone("bl.example")
    assert ledger.zones() == []
    with pytest.raises(NotFound):
        ledger.forget_zone("bl.example")


def test_an_alert_is_kept_changed_and_removed_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    first = alert(one, ODD.replace("\ud800", ""))
    ledger.add_alert(first)
    assert ledger.alert(one, first.id) == first
    assert ledger.alert(two, first.id) is None
    with pytest.raises(NotFound):
        ledger.change_alert(two, first.id, lambda it: it)
    changed = ledger.change_alert(one, first.id, lambda it: msgspec.structs.replace(it, is_active=False))
    assert ledger.alerts(None) == [changed]
    with pytest.raises(NotFound):
        ledger.remove_alert(two, first.id)
    ledger.remove_alert(one, first.id)
    assert ledger.alerts(one) == []


def test_windows_are_found_while_they_are_open(ledger: Ledger, one: int, two: int) -> None:
    window = MaintenanceWindow(id=new_id(), workspace=one, since=NOW, until=NOW + HOUR, reason="move")
    ledger.add_window(window)
    assert ledger.windows(one, NOW) == [window]
    assert ledger.windows(one, NOW + HOUR) == []
    assert ledger.windows(one) == [window]
    assert ledger.windows(two) == []
    with pytest.raises(NotFound):
        ledger.remove_window(two, window.id)
    ledger.remove_window(one, window.id)
    assert ledger.windows(one) == []


def test_of_two_evaluations_at_once_one_is_kept(ledger: Ledger, one: int) -> None:
    of = alert(one)
    ledger.add_alert(of)

    def remember(n: int) -> bool:
        said = {"0": RuleState(matched_at=NOW, said={"x": n})}
        return ledger.remember(AlertState(alert_id=of.id, rules=said), entry(of), [message(one)])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(remember, range(8))) == [False] * 7 + [True]
    memory = ledger.memories([of.id, "unknown"])[of.id]
    assert memory.version == 1
    assert ledger.remember(memory, None, [])
    assert not ledger.remember(memory, entry(of), [message(one)])
    assert ledger.entries(EntryQuestion(workspace=one)).total == 1
    assert len(ledger.notifications(one)) == 1


def test_why_alerts_could_not_be_evaluated_is_read_without_their_evidence(ledger: Ledger, one: int) -> None:
    of, well = alert(one), alert(one)
    for each in (of, well):
        ledger.add_alert(each)
    rules = {"k": RuleState(failing="no luck"), "l": RuleState(said={"x": NOW})}
    assert ledger.remember(AlertState(alert_id=of.id, rules=rules, failing="broken"), None, [])
    assert ledger.remember(AlertState(alert_id=well.id, rules={"l": RuleState(said={"x": NOW})}), None, [])
    assert ledger.failures([of.id, well.id, "unknown"]) == {of.id: {"": "broken", "k": "no luck"}}
    assert ledger.memories([of.id])[of.id].failures == {"": "broken", "k": "no luck"}


def test_an_alert_that_is_gone_is_not_remembered(ledger: Ledger, one: int) -> None:
    of = alert(one)
    ledger.add_alert(of)
    assert ledger.remember(AlertState(alert_id=of.id), entry(of), [])
    ledger.remove_alert(one, of.id)
    assert not ledger.remember(AlertState(alert_id=of.id, version=1), entry(of), [message(one)])
    assert ledger.memories([of.id]) == {}
    assert ledger.entries(EntryQuestion(workspace=one, alert_id=of.id)).total == 1, "its log stays"


def test_log_entries_are_found_by_alert_profile_time_and_report(ledger: Ledger, one: int, two: int) -> None:
    first, second = alert(one), alert(one, profile_id="p" * 24)
    for of in (first, second):
        ledger.add_alert(of)
    for n in range(5):
        assert ledger.remember(AlertState(alert_id=first.id, version=n), entry(first, NOW + n * HOUR), [])
    assert ledger.remember(AlertState(alert_id=second.id), entry(second, NOW, in_daily_report=True), [])
    ask = partial(EntryQuestion, workspace=one)
    page = ledger.entries(ask(alert_id=first.id, offset=1, limit=2))
    assert (page.total, [found.at for found in page.entries]) == (5, [NOW + 3 * HOUR, NOW + 2 * HOUR])
    oldest = ledger.entries(ask(alert_id=first.id, newest_first=False, limit=1)).entries
    assert [found.at for found in oldest] == [NOW]
    assert ledger.entries(ask(since=NOW + HOUR, until=NOW + 3 * HOUR)).total == 2
    assert ledger.entries(ask(profile_id="p" * 24)).total == 1
    assert ledger.entries(ask(daily_report_only=True)).total == 1
    assert ledger.entries(EntryQuestion(workspace=two)).total == 0


def test_a_log_entry_is_acknowledged_by_its_workspace_alone(ledger: Ledger, one: int, two: int) -> None:
    of = alert(one)
    ledger.add_alert(of)
    fired = entry(of)
    ledger.remember(AlertState(alert_id=of.id), fired, [])
    with pytest.raises(NotFound):
        ledger.mark_entry(two, fired.id, EntryState.ACKNOWLEDGED, NOW, "eve")
    marked = ledger.mark_entry(one, fired.id, EntryState.ACKNOWLEDGED, NOW + 1, "ann")
    assert ledger.entry(one, fired.id) == marked
    assert (marked.state, marked.state_at, marked.state_by) == (EntryState.ACKNOWLEDGED, NOW + 1, "ann")
    assert ledger.entry(two, fired.id) is None


def test_a_message_is_taken_by_one_and_comes_again_when_that_one_dies(ledger: Ledger, one: int) -> None:
    ledger.post([message(one, NOW + n) for n in range(40)] + [message(one, NOW + HOUR)])
    with ThreadPoolExecutor(4) as pool:
        taken = [each.id for batch in pool.map(lambda _: ledger.take(NOW + 100, 10, HOUR), range(4)) for each in batch]
    assert len(taken) == len(set(taken))
    rest = [each.id for each in ledger.take(NOW + 100, 100, HOUR)]
    assert len({*taken, *rest}) == 40
    assert ledger.take(NOW + 100, 10, HOUR) == []
    again = ledger.take(NOW + 100 + HOUR, 100, HOUR)
    assert len(again) == 41


def test_a_settled_message_has_its_attempts_and_is_not_taken_again(ledger: Ledger, one: int, two: int) -> None:
    ledger.post([message(one, ident="report-2026-11-20"), message(one, ident="report-2026-11-20")])
    (taken,) = ledger.take(NOW, 10, HOUR)
    late = msgspec.structs.replace(taken, attempts=1, next_at=NOW + 5)
    ledger.settle_notification(late, Attempt(at=NOW, took_ms=3, outcome="transient", detail=ODD))
    assert ledger.take(NOW, 10, HOUR) == []
    (taken,) = ledger.take(NOW + 5, 10, HOUR)
    done = msgspec.structs.replace(taken, attempts=2, state=NotificationState.DELIVERED, delivered_at=NOW + 6)
    ledger.settle_notification(done, Attempt(at=NOW + 6, took_ms=2, outcome="delivered", detail="204"))
    assert ledger.take(NOW * 2, 10, HOUR) == []
    assert [attempt.outcome for attempt in ledger.attempts(one, taken.id)] == ["transient", "delivered"]
    assert ledger.notifications(one, NotificationState.PENDING) == []
    assert ledger.notifications(two) == []
    with pytest.raises(NotFound):
        ledger.attempts(two, taken.id)


def test_old_messages_are_forgotten_with_their_attempts_unless_they_are_on_their_way(
    ledger: Ledger, one: int
) -> None:
    waiting = ledger.notifications_waiting()
    ledger.post([message(one), message(one), message(one, NOW + HOUR)])
    assert ledger.notifications_waiting() == waiting + 3
    (told,) = ledger.take(NOW, 1, HOUR)
    done = msgspec.structs.replace(told, state=NotificationState.DELIVERED)
    ledger.settle_notification(done, Attempt(at=NOW, took_ms=1, outcome="delivered", detail=""))
    assert ledger.notifications_waiting() == waiting + 2
    assert ledger.forget_notifications(told.created_at) == 0
    assert ledger.forget_notifications(told.created_at + 1) == 1
    assert told.id not in {left.id for left in ledger.notifications(one)}
    assert len(ledger.notifications(one)) == 2
    with pytest.raises(NotFound):
        ledger.attempts(one, told.id)


def test_a_message_is_sent_again_by_hand_also_to_a_target_that_was_switched_off(ledger: Ledger, one: int) -> None:
    ledger.post([message(one)])
    (taken,) = ledger.take(NOW, 1, HOUR)
    off = msgspec.structs.replace(taken, state=NotificationState.DISABLED, attempts=9)
    ledger.settle_notification(off, Attempt(at=NOW, took_ms=0, outcome="permanent"))
    ledger.save_target(
        Target(workspace=one, channel=taken.channel, target=taken.target, failing_since=NOW, disabled_at=NOW)
    )
    again = ledger.resend(one, taken.id, NOW + HOUR)
    assert (again.state, again.attempts) == (NotificationState.PENDING, 0)
    assert [target.disabled_at for target in ledger.targets(one)] == [0]
    assert [each.id for each in ledger.take(NOW + HOUR, 1, HOUR)] == [taken.id]
    with pytest.raises(NotFound):
        ledger.resend(one + 1, taken.id, NOW)


def test_two_secrets_live_while_one_is_replaced(ledger: Ledger, one: int, two: int) -> None:
    old = SigningSecret(workspace=one, secret="whsec_old", created_at=NOW, expires_at=NOW + HOUR)
    new = SigningSecret(workspace=one, secret="whsec_new", created_at=NOW + 1)
    ledger.change_signing_secrets(one, NOW, lambda _: [old, new])
    assert ledger.signing_secrets(one, NOW + 2) == [new, old]
    assert ledger.signing_secrets(one, NOW + HOUR) == [new]
    assert ledger.signing_secrets(two, NOW) == []


def test_slack_integrations_belong_to_a_workspace(ledger: Ledger, one: int, two: int) -> None:
    integration = SlackIntegration(id=new_id(), workspace=one, name="ops", url="https://h.example", created_at=NOW)
    ledger.add_slack_integration(integration)
    assert ledger.slack_integrations(one) == [integration]
    assert ledger.slack_integrations(two) == []
    with pytest.raises(NotFound):
        ledger.remove_slack_integration(two, integration.id)
    ledger.remove_slack_integration(one, integration.id)


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
    assert ledger.add_report(one, first, iter(rows))
    assert not ledger.add_report(one, report(), iter(rows))
    assert ledger.add_report(two, report(), iter(rows))
    assert ledger.add_report(one, report("b.example", ends=NOW + HOUR), [])
    assert ledger.reports(one, 0, NOW + 1) == [first]
    assert len(ledger.reports(one, 0, NOW * 2)) == 2
    ask = partial(RowQuestion, workspace=one, since=0, until=NOW * 2)
    total, found = ledger.report_rows(ask())
    assert (total, [row["source_ip"] for row in found]) == (2, ["192.0.2.2", "192.0.2.1"])
    assert found[0]["organisation"] == "reporter"
    assert [row["count"] for row in ledger.report_rows(ask(failing_only=True))[1]] == [2]
    assert ledger.report_rows(ask(source_ip="192.0.2.1"))[0] == 1
    assert ledger.report_rows(ask(domain="b.example"))[0] == 0
    assert ledger.report_rows(ask(offset=1, limit=1))[1] == found[1:]


def test_of_a_report_that_cannot_be_read_to_its_end_nothing_is_kept(ledger: Ledger, one: int) -> None:
    def broken() -> object:
        yield {"source_ip": "192.0.2.1", "count": 1}
        raise ValueError("truncated")

    with pytest.raises(ValueError, match="truncated"):
        ledger.add_report(one, report(), broken())  # type: ignore[arg-type]
    assert ledger.reports(one, 0, NOW * 2) == []


def test_a_lease_is_held_by_one_until_it_ends(ledger: Ledger) -> None:
    assert ledger.hold("collect", "a", NOW, HOUR)
    assert not ledger.hold("collect", "b", NOW + 1, HOUR)
    assert ledger.hold("collect", "a", NOW + 2, HOUR)
    assert not ledger.hold("collect", "b", NOW + HOUR, HOUR)
    assert ledger.hold("collect", "b", NOW + 2 + HOUR, HOUR)
    assert ledger.hold("other", "a", NOW, HOUR)


def test_a_lease_is_given_back_by_its_holder_alone(ledger: Ledger) -> None:
    assert ledger.hold("collect", "a", NOW, HOUR)
    ledger.give_back("collect", "b")
    assert [(one.name, one.holder, one.until) for one in ledger.leases(NOW)] == [("collect", "a", NOW + HOUR)]
    ledger.give_back("collect", "a")
    assert ledger.hold("collect", "b", NOW, HOUR)
    assert ledger.leases(NOW + HOUR) == []


def test_a_lease_taken_by_a_clock_that_was_ahead_does_not_last_for_ever(ledger: Ledger) -> None:
    assert ledger.hold("collect", "a", NOW + 24 * HOUR, 1000)
    assert ledger.hold("collect", "b", NOW, 1000)


def test_leases_of_the_dead_are_void(ledger: Ledger) -> None:
    assert ledger.hold("collect", "a", NOW, HOUR)
    assert ledger.hold("fetch", "a", NOW, HOUR)
    assert ledger.void_leases() == 2
    assert ledger.hold("collect", "b", NOW, HOUR)


def test_messages_that_were_taken_and_not_settled_can_be_let_go(ledger: Ledger, one: int) -> None:
    ledger.post([message(one, ident=name) for name in ("a", "b", "later")])
    later = msgspec.structs.replace(message(one, ident="later"), next_at=NOW + 500, attempts=1)
    ledger.settle_notification(later, Attempt(at=NOW, took_ms=1, outcome="transient", detail=""))
    assert {each.id for each in ledger.take(NOW, 10, 1000)} == {"a", "b"}
    assert ledger.take(NOW, 10, 1000) == []
    assert ledger.let_go(NOW, 1000, ["a"]) == 1
    assert [each.id for each in ledger.take(NOW, 10, 1000)] == ["a"]
    assert ledger.let_go(NOW, 1000) == 2
    assert {each.id for each in ledger.take(NOW, 10, 1000)} == {"a", "b"}, "what is tried later waits"
