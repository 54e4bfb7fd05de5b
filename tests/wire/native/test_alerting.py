"""Trials, backtests, people's answers and maintenance of alerts, as Mailvane's own clients ask for them."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.notify.model import NotificationState
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from tests.wire.world import NOW, World

HOUR, DAY = 3_600_000, 86_400_000
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}


def asked(world: World, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = world.client.request(method, f"/mailvane/v1{path}", json=body, headers=world.ours.headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def listed(world: World, address: str, at: int = NOW, is_listed: bool = True) -> None:
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset=address, key="bl.example", at=at, seen_at=at, data={"listed": is_listed}
    )
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=address, at=at, observations=(said,))
    world.services.reputation.watched_assets.record(world.ours.workspace.id, [refresh], at)


def watched(world: World, *addresses: str) -> None:
    world.services.reputation.watched_assets.add(world.ours.workspace.id, AssetKind.IP, addresses, NOW)


def alert(world: World, **fields: Any) -> str:
    body = {"name": "x", "rules": [LISTED]} | fields
    answer = world.client.post("/api/v1.0/alerts", json=body, headers=world.ours.headers)
    return str(answer.json()["id"])


def test_an_unsaved_alert_is_tried_and_nothing_is_kept(world: World) -> None:
    watched(world, "192.0.2.1")
    listed(world, "192.0.2.1")
    fired = asked(world, "POST", "/alerts/test", {"name": "x", "rules": [LISTED]})["fired"]
    assert fired[0]["matchings"] == {"items": [{"ip": "192.0.2.1", "rbl": "bl.example"}], "count": 1}
    assert asked(world, "GET", "/alerts/log") == {"total": 0, "entries": []}


def test_a_backtest_says_when_it_would_have_fired(world: World) -> None:
    watched(world, "192.0.2.1")
    listed(world, "192.0.2.1", NOW - 3 * DAY)
    listed(world, "192.0.2.1", NOW - 3 * DAY + HOUR, is_listed=False)
    told = asked(world, "POST", "/alerts/backtest", {"alert": {"name": "x", "rules": [LISTED]}})
    assert [firing["at"] for firing in told["firings"]] == [NOW - 3 * DAY]
    assert told["per_week"] == pytest.approx(7 / 30)
    assert asked(world, "GET", "/notifications") == []


def test_a_backtest_of_nonsense_is_refused(world: World) -> None:
    wrong = {"alert": {"name": "x", "rules": [LISTED]}, "period_from": "yesterday"}
    assert "period_from" in asked(world, "POST", "/alerts/backtest", wrong, 400)["detail"]
    assert (
        "rules[0]" in asked(world, "POST", "/alerts/backtest", {"alert": {"name": "x", "rules": [{}]}}, 400)["detail"]
    )


def test_the_channels_of_an_alert_are_told_that_it_is_a_test_when_that_is_wished(world: World) -> None:
    ident = alert(world, webhook_url="https://receiver.example/hook")
    assert asked(world, "POST", f"/alerts/{ident}/test") == {"fired": [], "failing": {}}
    assert asked(world, "GET", "/notifications") == []
    asked(world, "POST", f"/alerts/{ident}/test", {"notify": True})
    (message,) = asked(world, "GET", "/notifications?state=pending")
    assert (message["subject"], message["target"]) == ("[test] x", "https://receiver.example/hook")


def test_a_snoozed_alert_logs_and_tells_nobody(world: World) -> None:
    ident = alert(world, webhook_url="https://receiver.example/hook")
    asked(world, "POST", f"/alerts/{ident}/snooze", {"until": NOW + HOUR})
    watched(world, "192.0.2.1")
    listed(world, "192.0.2.1")
    assert asked(world, "GET", "/alerts/log")["total"] == 1
    assert asked(world, "GET", "/notifications") == []


def test_nobody_is_told_during_maintenance(world: World) -> None:
    window = asked(
        world, "POST", "/maintenance-windows", {"since": NOW - HOUR, "until": NOW + HOUR, "reason": "moving"}, 201
    )
    alert(world, webhook_url="https://receiver.example/hook")
    watched(world, "192.0.2.1")
    listed(world, "192.0.2.1")
    assert asked(world, "GET", "/alerts/log")["total"] == 1
    assert asked(world, "GET", "/notifications") == []
    assert asked(world, "GET", "/maintenance-windows") == [window]
    asked(world, "DELETE", f"/maintenance-windows/{window['id']}", status=204)
    assert asked(world, "GET", "/maintenance-windows") == []


def test_maintenance_ends_after_it_begins(world: World) -> None:
    asked(world, "POST", "/maintenance-windows", {"since": NOW, "until": NOW}, 400)


@pytest.mark.parametrize(("act", "state"), [("acknowledge", "acknowledged"), ("resolve", "resolved")])
def test_what_people_make_of_an_entry_is_kept_with_who_and_when(world: World, act: str, state: str) -> None:
    alert(world)
    watched(world, "192.0.2.1")
    listed(world, "192.0.2.1")
    (entry,) = asked(world, "GET", "/alerts/log")["entries"]
    asked(world, "POST", f"/alerts/log/{entry['id']}/{act}")
    (after,) = asked(world, "GET", "/alerts/log")["entries"]
    assert (after["state"], after["state_at"]) == (state, NOW)
    assert after["state_by"].startswith("key ")


def test_a_failed_message_is_sent_again_by_hand(world: World) -> None:
    ident = alert(world, webhook_url="https://receiver.example/hook")
    asked(world, "POST", f"/alerts/{ident}/test", {"notify": True})
    (message,) = asked(world, "GET", "/notifications")
    (taken,) = world.ledger.outbox.take(NOW, 1, HOUR)
    assert taken.id == message["id"]
    sent = asked(world, "POST", f"/notifications/{message['id']}/resend")
    assert (sent["state"], sent["next_at"]) == (NotificationState.PENDING.value, NOW)
    assert asked(world, "GET", f"/notifications/{message['id']}/attempts") == []


def test_two_secrets_live_while_one_replaces_the_other(world: World) -> None:
    (first,) = asked(world, "GET", "/signing-secrets")
    assert first["secret"].startswith("whsec_")
    assert asked(world, "GET", "/signing-secrets") == [first]
    new, old = asked(world, "POST", "/signing-secrets/rotate")
    assert (old["secret"], old["expires_at"]) == (first["secret"], NOW + DAY)
    assert new["secret"] != first["secret"]
    assert new["expires_at"] == 0


def test_the_address_of_a_slack_integration_is_never_shown(world: World) -> None:
    url = "https://hooks.slack.example/services/T0/B0/secret"
    made = asked(world, "POST", "/slack-integrations", {"name": "ops", "url": url}, 201)
    assert asked(world, "GET", "/slack-integrations") == [made]
    assert "url" not in made
    alert(world, slack_integration_id=made["id"])
    asked(world, "DELETE", f"/slack-integrations/{made['id']}", status=204)
    asked(world, "POST", "/slack-integrations", {"name": "ops", "url": "ftp://x"}, 400)


def test_what_is_told_of_a_target_is_its_own_workspaces_business(world: World) -> None:
    ident = alert(world, webhook_url="https://receiver.example/hook")
    asked(world, "POST", f"/alerts/{ident}/test", {"notify": True})
    (message,) = asked(world, "GET", "/notifications")
    answer = world.client.post(f"/mailvane/v1/notifications/{message['id']}/resend", headers=world.theirs.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("until", ["0001-01-01", -1, "soon"])
def test_a_time_before_1970_is_none(world: World, until: object) -> None:
    path = f"/mailvane/v1/alerts/{'0' * 24}/snooze"
    answer = world.client.post(path, json={"until": until}, headers=world.ours.headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("until: ")
