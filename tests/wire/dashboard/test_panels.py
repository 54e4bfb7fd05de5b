"""A page of several questions: one that is not answered says so, since when, and the rest of the page stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailvane.core.errors import StoreUnavailable
from tests.wire.dashboard.browsing import entry_of, fill, logged_in
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.world import MAIL_ID, NOW, World

BOXES, ASSET = "mailboxes.mailboxes", "/ui/{id}/reputation/ip/192.0.2.{id}"
CASES = {  # what does not answer, of which service; the path; what is unknown; what stands nevertheless
    "overview": ("maillog.outcomes", "/ui/{id}", "How mail fares", "1 held mail waits for a decision"),
    "log": ("maillog.tallies", "/ui/{id}/log?q=since:10w", "How many there are of each", "the newest 1 of 1"),
    "log's chart": ("maillog.over_time", "/ui/{id}/log?q=since:10w", "When they were accepted", "Sending domain"),
    "bounces": ("maillog.search", "/ui/{id}/domains/shop{id}.example/bounces", "What bounced", "By day"),
    "senders": ("maillog.tally", "/ui/{id}/domains?senders=1", "Who else sends", "shop{id}.example"),
    "ties": ("maillog.search", "/ui/{id}/mail/{mail}/ties", "Other mail with its answer", "192.0.2.{id} is good now"),
    "mailboxes": (f"{BOXES}.listing", "/ui/{id}/mailboxes", "How mailboxes fare", "Replies to tell"),
    "mailbox": (f"{BOXES}.performance_of", "/ui/{id}/mailboxes/{mailbox}", "What became of its mail", "Mails a day"),
    "fired": ("maillog.search", "/ui/{id}/alerts/fired/{entry}", "Which mail it is about", "Whom it told"),
    "asset": ("reputation.observed.observation_page", ASSET, "What was listed and freed", "Blocklists"),
    "server": ("maillog.health", "/ui/server", "What the mail log holds", "Messages to be sent"),
    "workspaces": ("maillog.hourly", "/ui/workspaces", "How its mail fares", "1 open"),
}


def break_(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], None]:
    """Gives what mends it."""
    *places, method = name.split(".")
    service: object = world.services.dashboard
    for each in places:
        service = getattr(service, each)

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailable("the store does not answer: connection refused")

    monkeypatch.setattr(type(service), method, down)
    return monkeypatch.undo


@pytest.mark.parametrize("case", CASES)
def test_a_question_that_is_not_answered_leaves_the_rest_standing(
    world: World, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    fill(world, world.ours, "refused: 192.0.2.1 is listed")
    world.services.dashboard.people.first_link(NOW)
    admin = logged_in(world, "admin")
    broken, path, unknown, stands = CASES[case]
    workspace = world.ours.workspace.id
    mailbox = world.services.mailboxes.mailboxes.create(workspace, "shop@a.example", {}, NOW)
    names = {"id": workspace, "mail": MAIL_ID, "entry": entry_of(world, world.ours), "mailbox": mailbox.id}
    path, stands = path.format(**names), stands.format(**names)
    before = text_of(admin.get(path).text)
    assert stands in before
    assert "connection refused" not in before
    mend = break_(world, monkeypatch, broken)
    answer = admin.get(path)
    page = text_of(answer.text)
    assert f"{unknown} is unknown: that question has not been answered since" in page
    assert "connection refused" in page
    assert stands in page
    assert answer.status_code == (200 if path.endswith("/ties") else 503)
    mend()
    assert "connection refused" not in admin.get(path).text
