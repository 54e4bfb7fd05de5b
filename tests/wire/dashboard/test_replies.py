"""Replies in the dashboard: listed by what was said of them, told by an operator, of the own workspace only."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType, MailEvent
from tests.wire.dashboard.browsing import Browser, member
from tests.wire.world import NOW, Tenant, World, accepted, ended


def replied(world: World, tenant: Tenant, who: str, number: int) -> MailEvent:
    mail = structs.replace(accepted(tenant, who, number), accepted_at=NOW - 90_000 + number, subject=f"offer {number}")
    reply = structs.replace(mail, type=EventType.REPLIED, at=NOW - 1000 + number)
    world.record(tenant, mail, ended(mail), reply)
    return reply


@pytest.fixture
def at(world: World) -> str:
    return f"/ui/{world.ours.workspace.id}/mailboxes/replies"


def names(browser: Browser, path: str) -> list[str]:
    return re.findall(r"<b>([^<]+@isp\.example)</b>", browser.get(path).text)


def test_a_reply_is_told_and_leaves_the_list_of_those_that_are_not(world: World, at: str) -> None:
    replied(world, world.ours, "ann@isp.example", 1)
    bob = replied(world, world.ours, "bob@isp.example", 2)
    machine = structs.replace(bob, type=EventType.REPLIED, recipient="robot@isp.example", automatic=True)
    said = structs.replace(bob, type=EventType.TAGGED, at=NOW, positive=True, automatic=True)
    world.record(world.ours, machine, said)
    viewer, operator = member(world, Role.VIEWER), member(world, Role.OPERATOR)
    assert names(viewer, at) == ["ann@isp.example"]
    assert names(viewer, f"{at}?tag=all") == ["bob@isp.example", "ann@isp.example"]
    assert "by a program" in viewer.get(f"{at}?tag=positive").text
    assert "offer 1" in viewer.get(at).text
    assert 'method="post"' not in viewer.get(at).text
    found = re.search('name="reply" value="([^"]+)"', operator.get(at).text)
    assert found is not None
    form = {"reply": found[1], "word": "positive", "back": f"{at}?tag=none"}
    assert viewer.post(at, form).status_code == 403
    for wrong in ({"word": "great"}, {"reply": ""}, {"reply": "x"}):
        assert operator.post(at, {**form, **wrong}).status_code == 400, wrong
    answer = operator.post(at, form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{at}?tag=none")
    world.services.maillog.recorder.drain()
    assert names(operator, at) == []
    assert names(operator, f"{at}?tag=positive") == ["bob@isp.example", "ann@isp.example"]
    for elsewhere in ("https://evil.example", "/ui/account", f"{at}?\r\nx: y"):
        assert operator.post(at, {**form, "back": elsewhere}).headers["location"] == at


def test_nobody_sees_or_tells_replies_of_another_workspace(world: World, at: str) -> None:
    theirs = replied(world, world.theirs, "secret@isp.example", 1)
    operator = member(world, Role.OPERATOR)
    assert names(operator, f"{at}?tag=all") == []
    form = {"reply": f"{theirs.mail_id}.{theirs.relay}.0.secret@isp.example", "word": "positive"}
    assert operator.post(at, form).status_code == 400
    world.services.maillog.recorder.drain()
    stranger = member(world, Role.VIEWER, world.theirs)
    assert names(stranger, f"/ui/{world.theirs.workspace.id}/mailboxes/replies?tag=none") == ["secret@isp.example"]
