"""Inbound mail and mailboxes in the dashboard: messages, contacts, addresses, filters tried before they are kept."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

from msgspec import structs

from mailvane.dashboard.people.model import Role
from mailvane.inbound.questions import AddressQuestion
from mailvane.maillog.model import EventType
from tests.wire.dashboard.browsing import fill, mailbox_of, member
from tests.wire.inbound import message, taken_in
from tests.wire.world import NOW, World, accepted, ended


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", "", page)))


def test_messages_are_found_by_state_and_text(world: World) -> None:
    fill(world, world.ours, "a held mail")
    at, viewer = f"/ui/{world.ours.workspace.id}/inbound/messages", member(world, Role.VIEWER)
    for query, is_there in (("", True), ("status=quarantined", True), ("status=denied", False), ("q=held", True),
                            ("q=nothing", False), ("status=nonsense", True)):  # fmt: skip
        assert ("a held mail" in re.sub("<form.*?</form>", "", viewer.get(f"{at}?{query}").text)) is is_there, query
    assert viewer.get(f"{at}?page=0").status_code == 400


def test_a_contact_is_blocked_by_an_operator_only(world: World) -> None:
    fill(world, world.ours, "hello")
    at, workspace = f"/ui/{world.ours.workspace.id}/inbound/contacts", world.ours.workspace.id
    form = {"email": "s@y.example", "state": "blocked"}
    viewer = member(world, Role.VIEWER)
    assert "s@y.example" in viewer.get(at).text
    assert 'method="post"' not in viewer.get(at).text
    assert viewer.post(at, form).status_code == 403
    operator = member(world, Role.OPERATOR)
    assert operator.post(at, {**form, "state": "x"}).status_code == 400
    assert operator.post(at, form).status_code == 303
    contact = world.ledger.inbound.contacts.contact(workspace, "s@y.example")
    assert contact is not None
    assert contact.state == "blocked"
    assert "s@y.example" in operator.get(f"{at}?state=blocked").text
    assert "s@y.example" not in operator.get(f"{at}?state=muted").text


def test_addresses_are_listed_by_type(world: World) -> None:
    fill(world, world.ours, "hello")
    at, viewer = f"/ui/{world.ours.workspace.id}/inbound/aliases", member(world, Role.VIEWER)
    assert f"in{world.ours.workspace.id}.example" in viewer.get(at).text
    assert viewer.get(f"{at}?type=alias").status_code == 200


def test_a_filter_is_tried_then_kept_then_removed(world: World) -> None:
    fill(world, world.ours, "hello of a stranger")
    at, workspace, stores = (
        f"/ui/{world.ours.workspace.id}/inbound/filters",
        world.ours.workspace.id,
        world.ledger.inbound,
    )
    (to, *_) = stores.addresses.page(AddressQuestion(workspace=workspace)).addresses
    held = {"subject": "a stranger again", "status": "quarantined", "address": to.id, "recipient": to.address}
    taken_in(stores, workspace, NOW, message(workspace, NOW - 500, **held))
    form = {"name": "no strangers", "action": "allow", "if": "subject contains stranger"}
    operator, viewer = member(world, Role.OPERATOR), member(world, Role.VIEWER)
    page = text_of(viewer.get(f"{at}?{urlencode(form)}").text)
    assert "Of 2 messages of 30 days it would have decided 1 (they were 1 quarantined); 1 would have fared" in page
    assert stores.filters.filters(workspace) == []
    assert viewer.post(at, form).status_code == 403
    for wrong in ({"if": ""}, {"if": "colour is red"}, {"action": "burn"}, {"address": "nobody@x.example"}):
        assert operator.post(at, {**form, **wrong}).status_code == 400, wrong
    assert operator.post(at, form).status_code == 303
    (kept,) = stores.filters.filters(workspace)
    assert "no strangers" in operator.get(at).text
    assert operator.post(f"{at}/remove", {"filter": kept.id}).status_code == 303
    assert operator.post(f"{at}/remove", {"filter": kept.id}).status_code == 404


def test_a_mailbox_shows_its_rates_with_their_intervals_and_unknown_as_unknown(world: World) -> None:
    first = accepted(world.ours, "ann@isp.example")
    second = structs.replace(accepted(world.ours, "bob@isp.example", number=9), recipient_number=1)
    world.record(world.ours, first, ended(first), second, ended(second, EventType.BOUNCED, 550, "550 5.1.1 no"))
    at, viewer = f"/ui/{world.ours.workspace.id}/mailboxes", member(world, Role.VIEWER)
    one = mailbox_of(world, world.ours)
    for sort in ("address", "sent", "bounced", "opened", "nonsense"):
        page = viewer.get(f"{at}?sort={sort}&days=7")
        assert page.status_code == 200
        assert "@ours.example" in page.text.replace("<wbr>", "")
    assert "1 of 2, with 95 % certainty 9.5% to 90.5%" in page.text
    assert "nobody counts it for this mailbox" in page.text
    own = viewer.get(f"{at}/{one}")
    assert "What became of 2 mails" in text_of(own.text)
    assert viewer.get(f"{at}/nobody").status_code == 404
