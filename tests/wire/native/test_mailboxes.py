"""Mailboxes in Mailvane's own interface: what rates are worth, what is unknown, terms, warm-up, and the rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.warming import WarmupStep, stepped
from mailvane.maillog.model import EventType, MailEvent
from tests.wire.world import NOW, World, accepted, ended, opened

ANN = "ann@ours.example"
PATH = "/mailvane/v1/mailboxes"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("mailboxes")) as running:
        for number, sender in enumerate((ANN, ANN, "bob@other.example")):
            first = structs.replace(accepted(running.ours, "client@isp.example", number=number), header_from=sender)
            running.record(running.ours, first, ended(first))
        yield running


def ask(world: World, method: str, path: str, **more: Any) -> Any:
    answer = world.client.request(method, path, headers=world.ours.headers, **more)
    assert answer.status_code < 300, answer.text
    return answer.json()


def react(world: World, kind: EventType, **more: Any) -> None:
    first = accepted(world.ours, "client@isp.example", number=0)
    world.record(
        world.ours,
        MailEvent(
            relay=first.relay, accepted_at=first.accepted_at, number=0, type=kind, at=NOW, recipient=first.recipient,
            **more,
        ),
    )  # fmt: skip


def test_what_was_never_counted_is_null_and_what_was_has_an_interval(world: World) -> None:
    one = ask(world, "GET", f"{PATH}/{ANN}")
    assert one["sent"] == 2
    assert one["rates"]["opened"] == {"numerator": None, "denominator": 2, "rate": None, "interval": None}
    assert one["rates"]["bounced"]["numerator"] == 0
    assert one["rates"]["delivered"]["interval"] == {"low": pytest.approx(0.3424, abs=1e-4), "high": 1.0}
    react(world, EventType.OPENED, automatic=True)
    rates = ask(world, "GET", f"{PATH}/{ANN}")["rates"]
    assert (rates["opened"]["numerator"], rates["opened_raw"]["numerator"], rates["clicked"]["numerator"]) == (0, 1, 0)
    assert rates["replied"]["numerator"] is None
    react(world, EventType.REPLIED)
    react(world, EventType.TAGGED, positive=False)
    rates = ask(world, "GET", f"{PATH}/{ANN}")["rates"]
    assert (rates["replied"]["numerator"], rates["positive"]["numerator"]) == (1, 0)


def test_a_mailbox_may_say_itself_whether_it_is_tracked(world: World) -> None:
    ask(world, "PATCH", f"{PATH}/{ANN}", json={"tracks_opens": True})
    assert ask(world, "GET", f"{PATH}/{ANN}")["rates"]["opened"]["numerator"] == 0
    react(world, EventType.OPENED)
    ask(world, "PATCH", f"{PATH}/{ANN}", json={"tracks_opens": False})
    assert ask(world, "GET", f"{PATH}/{ANN}")["rates"]["opened"]["numerator"] is None


def test_the_list_is_sorted_filtered_and_cut(world: World) -> None:
    names = [one["mailbox"]["address"] for one in ask(world, "GET", f"{PATH}?sort=-sent")["mailboxes"]]
    assert names == [ANN, "bob@other.example"]
    assert [one["mailbox"]["address"] for one in ask(world, "GET", f"{PATH}?sort=sent&limit=1")["mailboxes"]] == names[
        1:
    ]
    assert ask(world, "GET", f"{PATH}?search=BOB")["total"] == 1
    assert ask(world, "GET", f"{PATH}?tag=none") == {"total": 0, "mailboxes": []}
    for wrong in ("sort=colour", "from=soon", "from=2024-01-02&to=2024-01-01", "limit=10001"):
        assert world.client.get(f"{PATH}?{wrong}", headers=world.ours.headers).status_code == 400, wrong


def test_the_rule_says_who_becomes_a_mailbox(world: World) -> None:
    rule = "/mailvane/v1/mailbox-rule"
    assert ask(world, "GET", PATH)["total"] == 2
    assert ask(world, "PUT", rule, json={"domains": ["Ours.example"]}) == {"domains": ["ours.example"], "notice": True}
    assert [one["mailbox"]["address"] for one in ask(world, "GET", PATH)["mailboxes"]] == [ANN]
    made = ask(world, "POST", PATH, json={"address": "bob@other.example", "tags": ["theirs"], "daily_limit": 1000})
    assert (made["daily_limit"], made["noticed"]) == (1000, False)
    assert [(one["mailbox"]["address"], one["sent"]) for one in ask(world, "GET", PATH)["mailboxes"]] == [
        (ANN, 2), ("bob@other.example", 1),
    ]  # fmt: skip
    overview = world.client.get("/v1/analytics/overview", headers=world.ours.headers).json()["data"]
    assert overview["totalSent"] == 3
    ask(world, "PUT", rule, json={"notice": False})
    assert [one["mailbox"]["address"] for one in ask(world, "GET", PATH)["mailboxes"]] == ["bob@other.example"]
    ask(world, "PUT", rule, json={})
    assert ask(world, "GET", PATH)["total"] == 2
    assert world.client.put(rule, headers=world.ours.headers, json={"domains": ["no domain"]}).status_code == 400


def test_a_warmup_begins_pauses_goes_on_and_ends(world: World) -> None:
    def step(action: str) -> Any:
        return world.client.post(f"{PATH}/{ANN}/warmup", headers=world.ours.headers, json={"action": action})

    terms = {"daily_limit": 100, "warmup": {"start": 10, "step": 5, "target": 30}}
    assert ask(world, "PATCH", f"{PATH}/{ANN}", json=terms)["allowed_today"] == 100
    assert step("pause").status_code == 400
    told = step("start").json()
    assert (told["allowed_today"], told["warmup"]["status"], told["warmup"]["day"]) == (10, "in_progress", 1)
    assert step("start").status_code == 400
    assert step("pause").json()["warmup"]["status"] == "paused"
    assert step("resume").json()["warmup"]["ends_at"] == NOW // DAY_MS * DAY_MS + 4 * DAY_MS
    assert step("stop").json()["allowed_today"] == 100
    assert ask(world, "PATCH", f"{PATH}/{ANN}", json={"daily_limit": None})["allowed_today"] is None


@pytest.mark.parametrize(
    "body",
    [
        *({"daily_limit": -1}, {"colour": 1}, {"status": "gone"}, {"warmup": {"step": 0}}, {"tags": ["\n"]}),
        *({"display_name": "a\u202e\n"}, {"warmup": {"start": "x"}}),
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_refused(world: World, body: dict[str, Any]) -> None:
    answer = world.client.patch(f"{PATH}/{ANN}", headers=world.ours.headers, json=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_days_campaigns_and_health(world: World) -> None:
    (day,) = ask(world, "GET", f"{PATH}/{ANN}/daily")
    assert (day["day"], day["sent"]) == ("2024-01-17", 2)
    assert ask(world, "GET", "/mailvane/v1/campaigns") == []
    health = ask(world, "GET", f"{PATH}/{ANN}/health")
    assert (health["domain"], health["dns"]["mx"]["status"], health["score"]) == ("ours.example", "unknown", 0)
    assert world.client.get(f"{PATH}/nobody@ours.example", headers=world.ours.headers).status_code == 404


def test_bounces_pause_a_warmup_once_and_not_again_when_it_goes_on(world: World) -> None:
    """Three of five bounced: more than 5 %, three at least."""
    mailboxes = world.services.mailboxes.mailboxes
    ask(world, "POST", f"{PATH}/{ANN}/warmup", json={"action": "start"})
    assert mailboxes.pause_bouncing(NOW) == []
    for number in range(10, 15):
        first = structs.replace(accepted(world.ours, "client@isp.example", number=number), header_from=ANN)
        first = structs.replace(first, accepted_at=NOW, at=NOW)
        bounced = MailEvent(
            relay=first.relay, accepted_at=NOW, number=number, type=EventType.BOUNCED, at=NOW, recipient=first.recipient
        )
        world.record(world.ours, first, *([bounced] if number < 12 else []))
    assert mailboxes.pause_bouncing(NOW) == [], "two are not enough"
    late = MailEvent(
        relay=world.ours.relay.id, accepted_at=NOW, number=12, type=EventType.BOUNCED, at=NOW, recipient=first.recipient
    )
    world.record(world.ours, late)
    assert [one.address for one in mailboxes.pause_bouncing(NOW + 1)] == [ANN]
    told = ask(world, "GET", f"{PATH}/{ANN}")["mailbox"]["warmup"]
    assert (told["status"], told["paused_for"], told["paused_at"]) == ("paused", "bounces", NOW + 1)
    assert mailboxes.pause_bouncing(NOW + 2) == []
    resumed = mailboxes.warm(
        world.ours.workspace.id, ANN, lambda one: stepped(one, WarmupStep.RESUME, NOW + 3), NOW + 3
    )
    assert resumed.warmup.paused_at == 0
    assert mailboxes.pause_bouncing(NOW + 4) == [], "what bounced before does not pause it again"


def test_limits_of_an_hour_and_a_month(world: World) -> None:
    told = ask(world, "PATCH", f"{PATH}/{ANN}", json={"hourly_limit": 5, "monthly_limit": 900})
    assert (told["hourly_limit"], told["daily_limit"], told["monthly_limit"]) == (5, None, 900)
    assert ask(world, "PATCH", f"{PATH}/{ANN}", json={"hourly_limit": None})["hourly_limit"] is None
