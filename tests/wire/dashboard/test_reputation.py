"""The reputation pages: a board of five states that agrees with the pages of single things, DMARC, lookalikes."""

from __future__ import annotations

import re
from html import unescape

import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.delisting import Evidence, evidence_of
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.people.service import Browser
from mailvane.dashboard.visits import Visit
from mailvane.maillog.model import EventType
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.blocklists import UNKNOWN
from mailvane.reputation.board import Place
from mailvane.reputation.cells import CellState
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source, Zone, ZoneHealth
from mailvane.reputation.questions import EntryQuestion
from tests.wire.dashboard.browsing import fill, member
from tests.wire.dashboard.test_alerts import told_by_google
from tests.wire.dashboard.test_ties import failed
from tests.wire.world import NOW, ZONE, World

ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]


@pytest.fixture
def watched(world: World) -> World:
    """Addresses: one is listed, one was freed, one is not known by a list, one was never answered."""
    workspace, reputation = world.ours.workspace.id, world.services.reputation
    for zone in reputation.dictionary():
        world.ledger.zones.save_zone(Zone(host=zone.host, enabled=False))
    for host, is_high in (("bl.example", True), ("other.example", False)):
        world.ledger.zones.save_zone(Zone(host=host, high_reputation=is_high))
    reputation.watched_assets.add(workspace, AssetKind.IP, ADDRESSES, NOW)

    def told(place: int, at: int, unknown: tuple[str, ...] = (), *said: tuple[str, bool]) -> None:
        found = tuple(
            Observation(kind=ObservationKind.IP_LISTING, asset=ADDRESSES[place], key=zone, at=at, seen_at=at,
                        data={"listed": is_listed}) for zone, is_listed in said
        )  # fmt: skip
        refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=ADDRESSES[place], at=at,
                          observations=found, details={UNKNOWN: list(unknown)})  # fmt: skip
        reputation.watched_assets.record(workspace, [refresh], at)

    told(0, NOW, (), ("bl.example", True), ("other.example", True))
    told(1, NOW - DAY_MS, (), ("bl.example", True))
    told(1, NOW, (), ("bl.example", False))
    told(2, NOW, ("other.example",))
    return world


def states(world: World, name: str) -> tuple[CellState, CellState]:
    board = world.services.reputation.board.board(world.ours.workspace.id, NOW)
    row = next(row for row in board.rows if row.name == name)
    assert row == world.services.reputation.board.row(world.ours.workspace.id, Place.ADDRESS, name, NOW)
    return row.zones["bl.example"].state, row.zones["other.example"].state


def test_a_cell_says_listed_free_again_unknown_or_good(watched: World) -> None:
    assert states(watched, ADDRESSES[0]) == (CellState.BAD, CellState.LOOK)
    assert states(watched, ADDRESSES[1]) == (CellState.LOOK, CellState.GOOD)
    assert states(watched, ADDRESSES[2]) == (CellState.GOOD, CellState.UNKNOWN)
    assert states(watched, ADDRESSES[3]) == (CellState.UNKNOWN, CellState.UNKNOWN)


def test_what_was_told_long_ago_is_unknown_and_not_good(watched: World) -> None:
    later = NOW + 3 * DAY_MS
    board = watched.services.reputation.board.board(watched.ours.workspace.id, later)
    assert {cell.state for row in board.rows for cell in row.zones.values()} == {CellState.UNKNOWN}
    assert board.counts[CellState.GOOD] == 0


def test_the_worst_stand_first_and_every_cell_of_the_page_is_that_of_the_board(watched: World) -> None:
    at, viewer = f"/ui/{watched.ours.workspace.id}/reputation", member(watched, Role.VIEWER)
    page = viewer.get(at).text
    assert re.findall(r'class="mono" href="[^"]+">([^<]+)<', page) == [
        ADDRESSES[0], ADDRESSES[1], ADDRESSES[2], ADDRESSES[3]
    ]  # fmt: skip
    assert re.findall(r"is-(\w+)-cell", page) == [
        "bad",
        "look",
        "look",
        "good",
        "good",
        "unknown",
        "unknown",
        "unknown",
    ]
    assert "1 bad" in page
    one = viewer.get(f"{at}/ip/{ADDRESSES[2]}").text
    assert "it gave no valid answer" in one
    assert "unknown" in one
    assert viewer.get(f"{at}/ip/192.0.2.99").status_code == 404
    assert viewer.get(f"{at}/nothing/{ADDRESSES[0]}").status_code == 404


def test_the_api_gives_the_same_board(watched: World) -> None:
    rows = watched.client.get("/mailvane/v1/reputation/board", headers=watched.ours.headers).json()
    assert [(row["name"], row["blocklists"]["bl.example"]["state"]) for row in rows] == [
        (ADDRESSES[0], "bad"), (ADDRESSES[1], "look"), (ADDRESSES[2], "good"), (ADDRESSES[3], "unknown")
    ]  # fmt: skip
    assert watched.client.get("/mailvane/v1/reputation/board", headers=watched.theirs.headers).json() == []


def test_an_operator_watches_asks_and_forgets_and_a_viewer_does_not(world: World) -> None:
    workspace = world.ours.workspace.id
    at, operator, viewer = f"/ui/{workspace}/reputation", member(world, Role.OPERATOR), member(world, Role.VIEWER)
    form = {"kind": "domain", "names": "Shop.example, b.example"}
    assert viewer.post(f"{at}/watch", form).status_code == 403
    assert "Watch more" not in viewer.get(at).text
    assert operator.post(f"{at}/watch", form).status_code == 303
    known = world.services.reputation.watched_assets.assets(workspace, AssetKind.DOMAIN)
    assert {asset.name for asset in known} == {"shop.example", "b.example"}
    for wrong in ({"kind": "snds", "names": "x"}, {"kind": "ip", "names": "no address"}, {"kind": "ip", "names": ""}):
        assert operator.post(f"{at}/watch", wrong).status_code == 400
    assert operator.post(f"{at}/domain/shop.example/ask", {"source": "blocklists"}).status_code == 303
    assert operator.post(f"{at}/domain/shop.example/ask", {"source": "nobody"}).status_code == 400
    for path in ("ask", "forget"):
        assert viewer.post(f"{at}/domain/shop.example/{path}", {"source": "blocklists"}).status_code == 403
    assert operator.post(f"{at}/domain/shop.example/forget", {"kind": "domain"}).status_code == 303
    assert operator.get(f"{at}/domain/shop.example").status_code == 404


def test_reports_and_lookalikes_have_pages(world: World) -> None:
    fill(world, world.ours, "<b>hello</b>")
    workspace, name = world.ours.workspace.id, f"shop{world.ours.workspace.id}.example"
    at, operator = f"/ui/{workspace}/reputation", member(world, Role.OPERATOR)
    page = operator.get(f"{at}/domain/{name}").text
    assert "9 of 9 messages of the last week failed DMARC" in page
    assert operator.get(f"{at}/dmarc?domain={name}&days=7").status_code == 200
    lookalikes = operator.get(f"{at}/lookalikes").text
    assert "sh0p[.]example" in lookalikes
    assert "<b>hello</b>" in unescape(lookalikes)
    assert "<b>hello</b>" not in lookalikes
    form = {"brand": name, "lookalike": "sh0p.example", "state": "IGNORED"}
    for wrong, status in (({"brand": "x"}, 404), ({"lookalike": "x"}, 404), ({"state": "x"}, 400)):
        assert operator.post(f"{at}/lookalikes", {**form, **wrong}).status_code == status
    assert operator.post(f"{at}/lookalikes", form).status_code == 303
    row = world.services.reputation.board.row(workspace, Place.DOMAIN, name, NOW)
    assert row is not None
    assert row.sources[Source.LOOKALIKES].state is CellState.GOOD


def test_all_sources_are_asked_at_once_by_who_may_and_not_again_within_a_minute(watched: World) -> None:
    mine, assets = watched.ours.workspace.id, watched.services.reputation.watched_assets
    at, operator, viewer = f"/ui/{mine}/reputation", member(watched, Role.OPERATOR), member(watched, Role.VIEWER)
    page = operator.get(at).text
    assert "<li>Blocklists about 4</li>" in page
    assert "Ask all now" not in viewer.get(at).text
    assert viewer.post(f"{at}/ask").status_code == 403
    assert operator.post(f"{at}/ask").headers["location"] == f"{at}?asked=all"
    assert {each.asked_at for each in assets.assets(mine, AssetKind.IP)} == {0}
    again = operator.post(f"{at}/ask")
    assert again.status_code == 409
    assert "wait a minute before asking all of them again" in again.text


def test_the_days_of_google_are_drawn_beside_the_line_of_the_alert_that_watches_them(world: World) -> None:
    told_by_google(world)
    mine, viewer = world.ours.workspace.id, member(world, Role.VIEWER)
    at = f"/ui/{mine}/reputation/domain/shop.example"
    before = viewer.get(at).text
    assert before.count('class="limit"') == 0
    assert "09 Jan: 0.12 %" in before
    rule = {"type": "GP_USER_REPORTED_SPAM_RATIO", "gp_user_reported_spam_ratio": {"value": 0.001, "operator": "gt"}}
    kept = world.services.reputation.alerting.create(mine, AlertDraft(name="too much spam", rules=(rule,)), NOW)
    page = viewer.get(at).text
    assert page.count('class="limit"') == 1
    assert f'/alerts/rules/{kept.id}">too much spam</a>, ' in page
    assert "above 0.1 %" in page
    assert page.count('class="fill-bad"') == before.count('class="fill-bad"') + 3, "days beyond the line"
    assert page.count("Google has not told") == 2 * (24 + 3 * 30), "each has a title, and stands in the picture's name"
    assert "24 days unknown" in page
    assert page.count('class="hatched"') == 4


def test_evidence_for_a_list_says_since_when_and_what_was_sent_and_done(watched: World) -> None:
    mine, since = watched.ours.workspace.id, NOW
    later = NOW + DAY_MS
    page = f"/ui/{mine}/reputation/ip/{ADDRESSES[0]}"
    zone = Zone(host="bl.example", high_reputation=True, removal="https://bl.example/remove")
    watched.ledger.zones.save_zone(zone)
    watched.ledger.zones.save_zone_health([ZoneHealth(host="bl.example", usable=True, checked_at=NOW, proven=("ips",))])
    rule = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}
    alerting = watched.services.reputation.alerting
    alerting.create(mine, AlertDraft(name="on a list", rules=(rule,)), NOW)
    alerting.evaluate(mine, [Source.BLOCKLISTS], NOW)
    entry = alerting.entries(EntryQuestion(workspace=mine)).entries[0]
    alerting.acknowledge(mine, entry.id, "ann@x.example", NOW + 1000)
    before = structs.replace(failed(watched, 1), accepted_at=since - 2 * DAY_MS, at=since - 2 * DAY_MS)
    after = [structs.replace(failed(watched, number), accepted_at=since + number * 1000, at=since + number * 1000 + 10)
             for number in (2, 3)]  # fmt: skip
    delivered = structs.replace(after[1], number=4, type=EventType.DELIVERED, reply="250 ok")
    watched.record(watched.ours, before, *after, delivered)
    told = evidence(watched, ADDRESSES[0], later)
    assert [(each.zone, each.since, each.removal) for each in told.listings] == [
        ("bl.example", NOW, "https://bl.example/remove"), ("other.example", NOW, ""),
    ]  # fmt: skip
    assert "it has its test point" in told.listings[0].probe
    assert told.listings[1].probe == "not tried yet"
    assert [(each.deliveries, each.bounced) for each in told.sent] == [(1, 1), (3, 2)]
    assert [text for _, text in told.done] == [
        "the alert on a list told of it", "that was acknowledged by ann@x.example",
    ]  # fmt: skip
    viewer = member(watched, Role.VIEWER)
    assert f'href="{page}/evidence">Evidence for delisting' in viewer.get(page).text
    assert 'href="https://bl.example/remove"' in viewer.get(f"{page}/evidence").text
    answer = viewer.get(f"{page}/evidence.txt")
    assert answer.headers["content-disposition"] == f'attachment; filename="listed-{ADDRESSES[0]}.txt"'
    assert "  requests: https://bl.example/remove\n" in answer.text
    assert "the 7 days before: 1 delivery; bounced 1 (100.0%); given up 0; complaints told of 0\n" in answer.text
    free = f"/ui/{mine}/reputation/ip/{ADDRESSES[1]}"
    assert "Evidence for delisting" not in viewer.get(free).text
    assert viewer.get(f"{free}/evidence").status_code == 404


def evidence(world: World, name: str, now: int) -> Evidence:
    visit = Visit(
        path={"kind": "ip", "name": name}, query={}, form={}, browser=Browser("", ""), now=now, address="/", zone=ZONE,
        origin="", place=world.ours.workspace,
    )  # fmt: skip
    row = world.services.reputation.board.row(world.ours.workspace.id, Place.ADDRESS, name, now)
    assert row is not None
    return evidence_of(world.services.dashboard, visit, row)
