"""Decisions about held mail: carried out after ten seconds, taken back before, and what has failed is told."""

from __future__ import annotations

import re

import pytest

from mailvane.dashboard.people.model import Role
from mailvane.inbound.model import MessageStatus
from mailvane.inbound.questions import MessageQuestion
from tests.wire.dashboard.browsing import Browser, fill, member
from tests.wire.inbound import message, taken_in
from tests.wire.world import NOW, Tenant, World


@pytest.fixture
def operator(world: World) -> Browser:
    fill(world, world.ours, "hello")
    return member(world, Role.OPERATOR)


def place(tenant: Tenant) -> str:
    return f"/ui/{tenant.workspace.id}/inbound/quarantine"


def held(world: World, browser: Browser) -> str:
    found = re.search('name="message" value="([^"]+)"', browser.get(place(world.ours)).text)
    assert found is not None
    return found[1]


def status(world: World, message: str) -> MessageStatus:
    found = world.ledger.inbound.messages.message(world.ours.workspace.id, message)
    assert found is not None
    return found.status


def test_a_decision_is_taken_back_within_ten_seconds(world: World, operator: Browser) -> None:
    triage, message = world.services.dashboard.triage, held(world, operator)
    form = {"message": message, "remember": "1"}
    assert operator.post(f"{place(world.ours)}/reject", form).status_code == 303
    assert "will be denied in 10 s" in operator.get(place(world.ours)).text
    viewer = member(world, Role.VIEWER)
    assert viewer.post(f"{place(world.ours)}/undo", {"message": message}).status_code == 403
    assert ">Undo<" not in viewer.get(place(world.ours)).text
    triage.run(NOW + 9_999)
    assert operator.post(f"{place(world.ours)}/undo", {"message": message}).status_code == 303
    triage.run(NOW + 60_000)
    assert status(world, message) is MessageStatus.QUARANTINED
    contact = world.ledger.inbound.contacts.contact(world.ours.workspace.id, "s@y.example")
    assert contact is not None
    assert contact.state == "unset"
    assert triage.waiting(world.ours.workspace.id) == []


def test_what_was_carried_out_is_not_taken_back(world: World, operator: Browser) -> None:
    triage, message = world.services.dashboard.triage, held(world, operator)
    operator.post(f"{place(world.ours)}/reject", {"message": message})
    triage.run(NOW + 10_000)
    assert status(world, message) is MessageStatus.DENIED
    assert operator.post(f"{place(world.ours)}/undo", {"message": message}).status_code == 303
    assert status(world, message) is MessageStatus.DENIED
    assert operator.post(f"{place(world.ours)}/reject", {"message": message}).status_code == 400


def test_why_a_mail_could_not_be_let_through_is_told_for_a_day(world: World, operator: Browser) -> None:
    triage, message = world.services.dashboard.triage, held(world, operator)
    operator.post(f"{place(world.ours)}/accept", {"message": message})
    triage.run(NOW + 10_000)  # its content is in no file
    assert "A mail could not be let through" in operator.get(place(world.ours)).text
    triage.run(NOW + 20_000)
    assert [each.message for each in triage.waiting(world.ours.workspace.id)] == [message]
    triage.run(NOW + 10_000 + 86_400_000)
    assert triage.waiting(world.ours.workspace.id) == []


def test_another_process_carries_out_what_a_dead_one_took(world: World, operator: Browser) -> None:
    triage, message = world.services.dashboard.triage, held(world, operator)
    operator.post(f"{place(world.ours)}/reject", {"message": message})
    taken = world.ledger.decisions.take(NOW + 10_000, NOW + 130_000, 100)
    assert [each.message for each in taken] == [message]
    triage.run(NOW + 129_999)
    assert status(world, message) is MessageStatus.QUARANTINED, "it is somebody else's for two minutes"
    assert world.ledger.decisions.take_back(world.ours.workspace.id, [message]) == 0
    triage.run(NOW + 130_000)
    assert status(world, message) is MessageStatus.DENIED


def test_nobody_decides_about_mail_of_another_workspace(world: World, operator: Browser) -> None:
    fill(world, world.theirs, "secret")
    message = held(world, operator)
    theirs = world.services.inbound.stores.pages
    (other,) = theirs.page(MessageQuestion(workspace=world.theirs.workspace.id), 0, 10).messages
    for ids in (other.id, "nothing", "\0"):
        assert operator.post(f"{place(world.ours)}/reject", {"message": ids}).status_code == 400
    assert operator.post(f"{place(world.ours)}/reject", {"message": message}).status_code == 303
    assert [each.message for each in world.services.dashboard.triage.waiting(world.ours.workspace.id)] == [message]


def test_a_held_mail_is_looked_at_before_it_is_decided(world: World, operator: Browser) -> None:
    """Who says it is from whom, and its text; what was decided is told, and of another workspace there is nothing."""
    stores, mine = world.ledger.inbound, world.ours.workspace.id
    told = {"authentication": '{"spf":"pass","dkim":"fail"}', "symbols": '[{"name":"BULK","score":4.5}]', "score": 7.5}
    one = message(mine, NOW - 500, status="quarantined", sender="b@bulk.example", subject="Overdue", **told)
    theirs = message(world.theirs.workspace.id, NOW - 400, status="quarantined", subject="Not ours")
    taken_in(stores, mine, NOW, one)
    taken_in(stores, world.theirs.workspace.id, NOW, theirs)
    page = operator.get(f"{place(world.ours)}?item={one.id}").text
    for words in ("The envelope is of another domain: bulk.example", "SPF: pass", "DKIM: fail", "BULK +4.5", "Overdue"):
        assert words in page
    assert "Not ours" not in operator.get(f"{place(world.ours)}?item={theirs.id}").text
    form = {"message": one.id, "remember": "1"}
    assert operator.post(f"{place(world.ours)}/accept", form).status_code == 303
    assert "Undo is above" in operator.get(f"{place(world.ours)}?item={one.id}").text
    viewer = member(world, Role.VIEWER).get(f"{place(world.ours)}?item={one.id}").text
    assert 'data-key="a"' not in viewer
