"""The list of mailboxes: in every order as all figures give it, whichever part of them is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.mailboxes import SORTS
from mailvane.dashboard.people.model import Role
from mailvane.mailboxes.listing import ListingQuestion
from mailvane.mailboxes.performance import Performance, Window, counted
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.maillog.model import EventType
from mailvane.maillog.queries import EngagementCounts
from tests.wire.dashboard.browsing import member
from tests.wire.world import NOW, World, accepted, ended, opened

SENDERS = ("ann@x.example", "bob@x.example", "cy@y.example", "dot@y.example")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Mails of four senders with what became of some; a mailbox that never sent, and one that is not tracked."""
    with opened(tmp_path_factory.mktemp("mailboxes")) as running:
        mailboxes, number = running.services.mailboxes.mailboxes, 0
        for place, sender in enumerate(SENDERS):
            for _ in range(5 - place):
                number += 1
                mail = accepted(running.ours, "client@isp.example", number=number)
                mail = structs.replace(mail, header_from=sender)
                events = [mail, ended(mail)]
                kinds = (EventType.OPENED, EventType.BOUNCED, EventType.REPLIED)
                events += [structs.replace(mail, type=kind) for n, kind in enumerate(kinds) if number % (n + 2) == 0]
                running.record(running.ours, *events)
        mailboxes.create(running.ours.workspace.id, "zoe@z.example", {}, NOW)
        mailboxes.notice(running.ours.workspace.id, NOW)
        mailboxes.change(running.ours.workspace.id, SENDERS[1], {"tracks_opens": False}, NOW)
        yield running


def order(one: Performance, sort: str) -> tuple[float, str]:
    """What nobody counts stands last."""
    if sort in {"address", "sent"}:
        return (0.0 if sort == "address" else -one.counts.sent), one.mailbox.address
    count = counted(one.mailbox, one.known, one.counts)[sort]
    return (1.0 if count is None or not one.counts.sent else -count / one.counts.sent), one.mailbox.address


@pytest.mark.parametrize("sort", SORTS)
def test_a_page_is_that_part_of_all_in_this_order(world: World, sort: str) -> None:
    workspace, mailboxes = world.ours.workspace.id, world.services.mailboxes.mailboxes
    window = Window(NOW // DAY_MS * DAY_MS - 29 * DAY_MS, NOW)
    every = sorted(mailboxes.performance(workspace, window, NOW), key=lambda one: order(one, sort))
    assert len(every) == 5
    for skip in (0, 2, 4, 6):
        question = ListingQuestion(
            workspace=workspace, window=window, counts=("bounced", "opened"), sort=sort, skip=skip, limit=2
        )
        page = mailboxes.listing(question, NOW)
        part = every[skip : skip + 2]
        assert [one.mailbox for one in page.listed] == [one.mailbox for one in part]
        for listed, one in zip(page.listed, part, strict=True):
            told = EngagementCounts(sent=one.counts.sent, bounced=one.counts.bounced, opened=one.counts.opened)
            assert listed.counts == told
            assert sum(listed.days.values()) == one.counts.sent
        assert (page.total, page.sent, page.known) == (5, 14, every[0].known)


def test_the_page_shows_them_with_links_to_the_next_part(world: World) -> None:
    viewer = member(world, Role.VIEWER)
    shown = viewer.get(f"/ui/{world.ours.workspace.id}/mailboxes?sort=address").text.replace("<wbr>", "")
    assert re.findall(r'data-href="[^"]*"><td><a href="[^"]*">([^<]*)<', shown) == [*SENDERS, "zoe@z.example"]
    assert "5 mailboxes sent <b>14</b> mails" in shown


def test_senders_become_mailboxes_while_there_is_room(world: World) -> None:
    workspace, mailboxes = world.ours.workspace.id, world.services.mailboxes.mailboxes
    before = mailboxes._settings
    first = structs.replace(accepted(world.ours, "client@isp.example", number=99), header_from="new@n.example")
    try:
        mailboxes._settings = MailboxSettings(most_noticed=3)
        world.record(world.ours, first)
        mailboxes.notice(workspace, NOW)
        assert "new@n.example" not in {one.address for one in mailboxes.every(workspace)}
    finally:
        mailboxes._settings = before
    mailboxes.notice(workspace, NOW)
    assert "new@n.example" in {one.address for one in mailboxes.every(workspace)}


def test_days_are_picked_in_the_address(world: World) -> None:
    viewer, at = member(world, Role.VIEWER), f"/ui/{world.ours.workspace.id}/mailboxes"
    page = viewer.get(f"{at}?from=2024-01-16&to=2024-01-17&sort=address").text
    assert "mails from 16 Jan 2024 to 17 Jan 2024." in page
    assert 'name="from" required value="2024-01-16"' in page
    assert '<input type="hidden" name="sort" value="address">' in page
    assert 'href="?sort=address&amp;days=7"' in page
    sent = {
        query: viewer.get(f"{at}?{query}").text
        for query in ("from=2024-01-17", "from=2024-01-16", "from=2023-12-20&to=2024-02-01")
    }
    found = {query: re.findall(r"sent <b>(\d+)</b> mails", page) for query, page in sent.items()}
    everything = re.findall(r"sent <b>(\d+)</b> mails", viewer.get(at).text)
    assert found == {
        "from=2024-01-17": everything,
        "from=2024-01-16": ["0"],
        "from=2023-12-20&to=2024-02-01": everything,
    }
    one = re.search(r'data-href="([^"]+)"', page)
    assert one is not None
    assert "from 16 Jan 2024 to 17 Jan 2024" in viewer.get(f"{one[1]}?from=2024-01-16&to=2024-01-17").text
    for wrong in (
        "from=yesterday",
        "from=2024-01-17&to=2024-01-16",
        "from=2024-02-01",
        "from=2023-01-01&to=2024-01-01",
    ):
        assert viewer.get(f"{at}?{wrong}").status_code == 400, wrong
