"""A mail's page leads to what it has to do with: its answer elsewhere, listings, alerts, limits; found by an id."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily
from mailvane.reputation.model import Zone
from tests.wire.dashboard.browsing import Browser, alerted, member
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.world import NOW, World


def failed(world: World, number: int, **more: object) -> MailEvent:
    at = NOW - 600_000 + number
    event = MailEvent(
        relay=world.ours.relay.id, accepted_at=at, number=number, type=EventType.BOUNCED, at=at + 500,
        sender="orders@shop.example", recipient=f"r{number}@isp.example", recipient_number=1, code=550,
        enhanced_code="5.7.1", reply="550 5.7.1 blocked: 192.0.2.1 is listed", family=ReasonFamily.REPUTATION,
        hard=True, raw=f"{number}\tline", source="mail.log", queue_id=f"4QUEUE{number}ID",
    )  # fmt: skip
    return structs.replace(event, **more)


@pytest.fixture
def viewer(world: World) -> Browser:
    return member(world, Role.VIEWER)


def ties(world: World, viewer: Browser, event: MailEvent) -> str:
    world.record(world.ours, event)
    return text_of(viewer.get(f"/ui/{world.ours.workspace.id}/mail/{event.mail_id}/ties").text)


def test_a_mail_leads_to_others_with_its_answer(world: World, viewer: Browser) -> None:
    other = failed(world, 3, recipient="r3@other.example")
    for event in (
        failed(world, 1),
        failed(world, 2),
        other,
        failed(world, 4, enhanced_code="5.1.1", reply="550 5.1.1 no"),
    ):
        world.record(world.ours, event)
    assert "2 deliveries to isp.example stopped at this answer" in ties(world, viewer, failed(world, 1))
    page = viewer.get(f"/ui/{world.ours.workspace.id}/mail/{other.mail_id}?ties=1").text
    assert "1 delivery to other.example stopped at this answer" in text_of(page), "without a script, too"
    linked = re.search(r'href="(/ui/[^"]+/log\?q=[^"]+)"><b>1 delivery', page)
    assert linked is not None
    assert "r3@other.example" in viewer.get(linked[1]).text


def test_a_mail_leads_to_the_listing_and_the_alert_that_its_answer_names(world: World, viewer: Browser) -> None:
    world.ledger.zones.save_zone(Zone(host="bl.example", high_reputation=True))
    alerted(world, world.ours, "Listed again")
    address = f"192.0.2.{world.ours.workspace.id}"
    found = ties(world, viewer, failed(world, 1, reply=f"550 5.7.1 blocked: {address} is listed"))
    assert f"{address} is bad now" in found
    assert "Listed again" in found
    assert "Listed again" not in ties(world, viewer, failed(world, 2, reply="550 5.7.1 blocked: 198.51.100.9"))


def test_a_mail_leads_to_the_limits_of_its_domain_and_to_what_the_policy_said(world: World, viewer: Browser) -> None:
    assert "limit" not in ties(world, viewer, failed(world, 1))
    governance = world.services.outbound.governance
    governance.create("shop.example", world.ours.workspace.id, NOW)
    governance.change("shop.example", {"daily_limit": 240}, "x", NOW, world.ours.workspace.id)
    assert "shop.example has limits: 240 a day" in ties(world, viewer, failed(world, 2))
    reply = "450 4.7.1 shop.example has reached its daily limit (daily_limit_exceeded)"
    refused = failed(world, 3, type=EventType.REJECTED, reply=reply, family=ReasonFamily.POLICY, hard=False)
    assert "The policy did not let it pass: daily limit exceeded" in ties(world, viewer, refused)


def test_a_queue_id_or_mail_id_that_is_pasted_as_it_stands_finds_its_mail(world: World, viewer: Browser) -> None:
    event, at = failed(world, 1), f"/ui/{world.ours.workspace.id}/log"
    world.record(world.ours, event)
    for word, meant in ((event.queue_id, "queue"), (event.mail_id, "id")):
        answer = viewer.get(f"{at}?q={word}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{at}?q={meant}:{word}")
        assert "r1@isp.example" in viewer.get(answer.headers["location"]).text
    for word in ("4NOSUCHQUEUEID", "-4QUEUE1ID", "a", "4QUEUE1ID more"):
        assert viewer.get(f"{at}?q={word}").status_code == 200, word


def test_a_mail_that_was_tried_for_long_has_a_line_of_time(world: World, viewer: Browser) -> None:
    first = failed(world, 1)
    put_off = structs.replace(first, type=EventType.DEFERRED, at=first.accepted_at + 60_000)
    world.record(world.ours, put_off, structs.replace(first, at=first.accepted_at + 3_600_000))
    page = viewer.get(f"/ui/{world.ours.workspace.id}/mail/{first.mail_id}").text
    assert "bounced 1 h after it was accepted" in page
    assert 'class="chart life"' in page
    at_once = failed(world, 2)
    world.record(world.ours, at_once)
    assert 'class="chart life"' not in viewer.get(f"/ui/{world.ours.workspace.id}/mail/{at_once.mail_id}").text
