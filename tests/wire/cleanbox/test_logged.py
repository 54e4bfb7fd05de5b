"""What a client of the Cleanbox API is told of a workspace that has no gateway, but a mail server that logs."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.inbound.model import Team
from mailvane.inbound.received import Source
from mailvane.maillog.model import EventType, MailEvent
from tests.wire.cleanbox.test_cleanbox import asked
from tests.wire.inbound import DAY, addresses
from tests.wire.world import NOW, World


def life(relay: int, number: int, sender: str, recipient: str, how: EventType, **more: Any) -> list[MailEvent]:
    key: dict[str, Any] = {"relay": relay, "accepted_at": NOW - 1000 + number, "number": number}
    facts: dict[str, Any] = {
        "sender": sender,
        "subject": f"mail {number}",
        "recipient": recipient,
        "recipient_number": 1,
        "reply": "250 ok",
    } | more
    accepted = MailEvent(**key, type=EventType.ACCEPTED, at=NOW - 1000 + number, **facts)
    transport = "" if how is EventType.DISCARDED else "virtual"
    told = {"transport": transport} | facts
    return [accepted, MailEvent(**key, type=how, at=NOW - 990 + number, **told)]


@pytest.fixture
def logged(world: World) -> World:
    """Four newsletters, a bill, and one each that bounced, expired, waits, was discarded or refused; two went on."""
    relay = world.ours.relay.id
    world.record(
        world.ours,
        *(
            one
            for number in range(1, 5)
            for one in life(relay, number, "news@shop.example", "ann@in.example", EventType.DELIVERED)
        ),
        *life(relay, 5, "bounce@bank.example", "ann@in.example", EventType.DELIVERED, header_from="Bills@Bank.example"),
        *life(relay, 6, "news@shop.example", "gone@in.example", EventType.BOUNCED, reply="550 5.1.1 unknown"),
        *life(relay, 7, "x@y.example", "full@in.example", EventType.EXPIRED, reply="452 4.2.2 full"),
        *life(relay, 8, "x@y.example", "full@in.example", EventType.DEFERRED, reply="452 4.2.2 full"),
        *life(relay, 9, "win@spam.example", "ann@in.example", EventType.DISCARDED),
        *life(relay, 10, "ann@in.example", "friend@far.example", EventType.DELIVERED, transport="smtp"),
        MailEvent(
            relay=relay, accepted_at=NOW - 5, number=11, type=EventType.REJECTED, at=NOW - 5, code=550,
            sender="win@spam.example", recipient="nobody@in.example", reply="550 5.7.1 blocked",
        ),
        *life(relay, 12, "a@b.example", "info@relayed.example", EventType.DELIVERED, transport="smtp"),
    )  # fmt: skip
    return world


def total(world: World, path: str) -> int:
    answer = asked(world, "GET", f"{path}{'&' if '?' in path else '?'}per_page=1").json()
    assert answer["total_pages"] == answer["total"]
    return int(answer["total"])


def test_contacts_are_those_who_wrote(logged: World) -> None:
    found = asked(logged, "GET", "/contacts?sort=emailCount&dir=desc&per_page=3").json()
    assert (found["total"], found["total_pages"]) == (4, 2)
    assert [(one["email"], one["email_count"], one["state"]) for one in found["data"]] == [
        ("news@shop.example", 5, "unset"), ("x@y.example", 2, "unset"), ("bills@bank.example", 1, "unset"),
    ]  # fmt: skip
    rest = asked(logged, "GET", "/contacts?sort=emailCount&dir=desc&per_page=3&page=2").json()
    assert [one["email"] for one in rest["data"]] == ["win@spam.example"]
    assert total(logged, "/contacts?q=SHOP") == 1


def test_messages_are_those_that_came(logged: World) -> None:
    assert total(logged, "/messages") == 9
    counts = {"delivered": 5, "bounced": 1, "failed": 1, "pending": 1, "denied": 1, "rejected": 1, "snoozed": 0}
    assert {status: total(logged, f"/messages?status={status}") for status in counts} == counts
    assert total(logged, "/messages?status=failed,bounced") == 2
    failed = asked(logged, "GET", "/messages?status=failed").json()["data"][0]
    assert (failed["from"], failed["address"], failed["error"], failed["spam_score"]) == (
        "x@y.example", "full@in.example", "452 4.2.2 full", None,
    )  # fmt: skip
    assert total(logged, "/messages?from=bills@bank.example") == total(logged, "/messages?contact=bills@bank.example")
    assert total(logged, "/messages?to=full@in.example") == 2
    assert total(logged, "/messages?q=mail%203") == 1


def test_one_message_is_found_by_its_id(logged: World) -> None:
    for one in asked(logged, "GET", "/messages?per_page=100").json()["data"]:
        assert asked(logged, "GET", f"/messages/{one['uuid']}").json() == one
        assert asked(logged, "GET", f"/messages/{one['uuid']}", key=logged.theirs.token).status_code == 404
    assert asked(logged, "POST", f"/messages/{one['uuid']}/redeliver").status_code == 409
    assert asked(logged, "GET", f"/messages/{one['uuid']}/raw").status_code == 404


def test_a_sender_is_decided_about_by_the_id_that_the_list_gave(logged: World) -> None:
    news = asked(logged, "GET", "/contacts?sort=emailCount").json()["data"][0]
    changed = asked(logged, "PUT", f"/contacts/{news['uuid']}", {"state": "blocked"})
    assert (changed.status_code, changed.json()["state"], changed.json()["email_count"]) == (200, "blocked", 5)
    assert asked(logged, "PUT", "/contacts/Bills@bank.example", {"state": "whitelisted"}).json()["email_count"] == 1
    assert asked(logged, "PUT", "/contacts/nobody@y.example", {"state": "muted"}).status_code == 404
    listed = asked(logged, "GET", "/contacts?state=blocked").json()
    assert [(one["email"], one["email_count"]) for one in listed["data"]] == [("news@shop.example", 5)]
    assert total(logged, "/contacts?state=unset") == 2
    assert total(logged, "/contacts") == 4
    written = asked(logged, "GET", "/messages?contact=news@shop.example").json()["data"]
    assert {one["contact"]["state"] for one in written} == {"blocked"}


def test_the_quarantine_is_empty_and_the_week_is_counted(logged: World) -> None:
    empty = asked(logged, "GET", "/quarantine?per_page=1").json()
    assert (empty["data"], empty["total"], empty["total_pages"]) == ([], 0, 0)
    assert "nothing in it can be held" in empty["why_nothing_is_held"]
    assert asked(logged, "GET", "/team").json()["usage"]["weekly_used"] == 9
    received, workspace = logged.services.inbound.received, logged.ours.workspace.id
    assert received.source(workspace) is Source.LOG
    assert "nothing in it can be held" in received.source(workspace).why_nothing_is_held


def test_a_domain_that_is_relayed_on_has_to_be_named(logged: World) -> None:
    team = Team(workspace=logged.ours.workspace.id, logged_domains=("relayed.example",))
    logged.ledger.inbound.teams.save_team(team)
    assert total(logged, "/messages") == 10
    assert total(logged, "/contacts?q=a@b.example") == 1


def test_once_a_domain_has_the_gateway_the_log_is_not_asked(logged: World) -> None:
    addresses(logged.ledger.inbound, logged.ours.workspace.id, "in.example", NOW - DAY)
    assert (total(logged, "/messages"), total(logged, "/contacts")) == (0, 0)
    assert logged.services.inbound.received.source(logged.ours.workspace.id) is Source.GATEWAY
    assert "why_nothing_is_held" not in asked(logged, "GET", "/quarantine").json()


def test_another_team_sees_nothing_of_it(logged: World) -> None:
    for path in ("/messages", "/contacts"):
        assert asked(logged, "GET", path, key=logged.theirs.token).json()["total"] == 0
