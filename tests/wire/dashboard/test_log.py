"""The mail log's page: pages that follow each other, what came meanwhile, refused mail, saved views."""

from __future__ import annotations

import re
from html import unescape

import pytest
from msgspec import structs

from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily
from tests.wire.dashboard.browsing import Browser, fill, member
from tests.wire.world import NOW, World, accepted, ended

ROWS = 50


def rejected(world: World, number: int, sender: str = "spammer@bad.example") -> MailEvent:
    at = NOW - 60_000 + number
    return MailEvent(
        relay=world.ours.relay.id, accepted_at=at, number=number, type=EventType.REJECTED, at=at, sender=sender,
        recipient=f"r{number}@ours.example", code=554, reply=f"554 blocked, case {number}", hard=True,
        family=ReasonFamily.REPUTATION, origin="192.0.2.7", raw=f"{number}\tNOQUEUE: reject", source="mail.log",
        line=number,
    )  # fmt: skip


def mails(world: World, count: int, first: int = 0) -> None:
    events = []
    for number in range(first, first + count):
        event = structs.replace(
            accepted(world.ours, f"r{number}@isp.example", number), accepted_at=NOW - 90_000 + number
        )
        events += [event, ended(event)]
    world.record(world.ours, *events)


def shown(page: str, pattern: str = r'title="(r\d+)@isp\.example"') -> list[str]:
    return re.findall(pattern, page)


def linked(page: str, word: str) -> str:
    found = re.search(rf'<a href="([^"]+)"[^>]*>{word}(?:<small.*?</small>)?</a>', page)
    return "" if found is None else unescape(found[1])


@pytest.fixture
def viewer(world: World) -> Browser:
    return member(world, Role.VIEWER)


@pytest.fixture
def at(world: World) -> str:
    return f"/ui/{world.ours.workspace.id}/log"


def test_pages_follow_each_other_whatever_comes_meanwhile(world: World, viewer: Browser, at: str) -> None:
    mails(world, 120)
    first = viewer.get(at).text
    mails(world, 30, 120)
    second = viewer.get(linked(first, "earlier")).text
    third = viewer.get(linked(second, "earlier")).text
    told = [shown(page) for page in (first, second, third)]
    assert [len(each) for each in told] == [ROWS, ROWS, 20]
    assert [int(each[1:]) for page in told for each in page] == list(range(119, -1, -1))
    assert "50 of 150" in second
    assert linked(third, "earlier") == ""
    back = viewer.get(linked(third, "later")).text
    assert shown(back) == told[1]
    newest = viewer.get(linked(viewer.get(linked(back, "later")).text, "later")).text
    assert shown(newest) == [f"r{number}" for number in range(149, 99, -1)], (
        "short of rows above, it is the newest page"
    )
    assert linked(newest, "later") == ""


@pytest.mark.parametrize("queue_id", ["4WAIT0B3C4D5E", "1aBcDe-0001Fg-2H", "000001a22354e60b-000004460001-000000"])
def test_the_id_that_a_server_gave_a_mail_finds_it_alone(world: World, viewer: Browser, at: str, queue_id: str) -> None:
    """Postfix's, Exim's, and that of Amazon SES; a word of the same form is looked for in the text."""
    mails(world, 3)
    named = structs.replace(accepted(world.ours, "r7@isp.example", 7), accepted_at=NOW - 1000, queue_id=queue_id,
                           subject="greeting-of-autumn")  # fmt: skip
    world.record(world.ours, named, ended(named))
    found = viewer.get(f"{at}?q={queue_id}")
    assert (found.status_code, shown(viewer.get(found.headers["location"]).text)) == (303, ["r7"])
    assert shown(viewer.get(f"{at}?q=greeting-of-autumn").text) == ["r7"]
    assert shown(viewer.get(f"{at}?q={queue_id}x").text) == []


def test_what_has_come_is_counted_and_shown_on_demand(world: World, viewer: Browser, at: str) -> None:
    mails(world, 2)
    page = viewer.get(f"{at}?q=to:isp.example").text
    asks = re.search(r'id="newer"[^>]* hx-get="([^"]+)"', page)
    assert asks is not None
    path = unescape(asks[1])
    assert "newer mail" not in viewer.get(path).text
    mails(world, 3, 2)
    answer = viewer.get(path).text
    assert "3 newer mails match" in answer
    assert "<html" not in answer
    assert len(shown(viewer.get(linked(answer, "3 newer mails match · show <kbd>n</kbd>")).text)) == 5
    assert "hx-select" not in page, "what somebody reads does not move"
    live = viewer.get(f"{at}?live=1").text
    assert 'hx-select="#rows"' in live
    part = re.search(r'id="rows"[^>]* hx-get="([^"]+)"', live)
    assert part is not None
    assert len(shown(viewer.get(unescape(part[1])).text)) == 5


@pytest.mark.parametrize(
    "place", ["x", "18d1903054d0abcdef", "18d1903054d0abcdef.1.x.r", "zz.1.0.r", f"18d1903054d0abcdef.{'9' * 40}.0.r"]
)
def test_a_place_that_makes_no_sense_is_said_to(world: World, viewer: Browser, at: str, place: str) -> None:
    mails(world, 1)
    for query in ("", "is:refused"):
        assert viewer.get(f"{at}?q={query}&at={place}").status_code == 400, query
        assert viewer.get(f"{at}/newer?q={query}&at={place}").status_code == 400, query


def test_what_was_refused_is_found_by_the_same_query(world: World, viewer: Browser, at: str) -> None:
    world.record(
        world.ours, *(rejected(world, number) for number in range(70)), rejected(world, 70, "ann@good.example")
    )
    mails(world, 1)
    cases = re.compile(r"554 blocked, case (\d+)</span>")
    page = viewer.get(f"{at}?q=is:refused").text
    assert cases.findall(page) == [str(number) for number in range(70, 20, -1)]
    assert "the newest 50 of 71" in page
    older = viewer.get(linked(page, "earlier")).text
    assert cases.findall(older) == [str(number) for number in range(20, -1, -1)]
    assert cases.findall(viewer.get(linked(older, "later")).text) == cases.findall(page)
    assert cases.findall(viewer.get(f"{at}?q=is:refused from:good.example").text) == ["70"]
    assert cases.findall(viewer.get(f"{at}?q=is:refused -from:bad.example why:reputation").text) == ["70"]
    assert "554 blocked" not in viewer.get(at).text, "no delivery"
    for both in ("is:refused,bounced", "is:refused is:bounced", "-is:refused", "is:refused mx:x.example"):
        assert viewer.get(f"{at}?q={both}").status_code == 400, both
    mail = viewer.get(linked(viewer.get(f"{at}?q=is:refused to:r3@ours.example").text, "spammer@bad.example")).text
    assert "was refused at the door and never taken in" in mail
    assert "NOQUEUE: reject" in mail
    csv = viewer.get(f"{at}.csv?q=is:refused from:good.example")
    assert csv.headers["content-disposition"] == 'attachment; filename="refused.csv"'
    assert [line.count("ann@good.example") for line in csv.text.splitlines()] == [0, 1]
    assert "71 newer mails match" in viewer.get(f"{at}/newer?q=is:refused").text


def test_what_was_refused_is_counted_beside_its_rows_and_over_time(world: World, viewer: Browser, at: str) -> None:
    """Every count leads to that many rows."""
    later = structs.replace(
        rejected(world, 5, "ann@good.example"), code=450, family=ReasonFamily.RATE_LIMIT, origin="2001:db8::1"
    )
    world.record(world.ours, *(rejected(world, number) for number in range(3)), later)
    page = viewer.get(f"{at}?q=is:refused").text
    for value, count in (
        ("reputation", 3), ("rate limit", 1), ("192.0.2.7", 3), ("2001:db8::1", 1), ("bad.example", 3),
        ("good.example", 1), ("ours.example", 4),
    ):  # fmt: skip
        choice = re.search(rf'<a href="([^"]+)">{re.escape(value)}</a><span class="n">(\d+)</span>', page)
        assert choice is not None, value
        assert int(choice[2]) == count, value
        chosen = viewer.get(unescape(choice[1])).text
        assert f"the newest {count} of {count}<" in chosen, value
        assert f'aria-current="true">{value}</a>' in chosen, value
    bar = re.search(r'<a href="([^"]+)"><title>[^<]*: 3 refused for good, 1 for now</title>.*?</a>', page)
    assert bar is not None
    assert set(re.findall(r'<path class="fill-([a-z]+)"', page)) == {"refused", "warn"}
    assert "the newest 4 of 4<" in viewer.get(unescape(bar[1])).text
    assert 'aria-current="true">rate limit</a>' in viewer.get(f"{at}?q=is:refused why:rate-limit").text
    excluded = viewer.get(f"{at}?q=is:refused -why:reputation").text
    assert re.search(r'<li class="off"><a href="[^"]+">reputation</a>', excluded)
    assert "data-facets" not in viewer.get(f"{at}?q=is:refused&live=1&part=rows").text
    assert "data-facets" not in viewer.get(f"{at}?q=is:refused from:nobody.example").text


def test_views_say_how_much_mail_each_finds_after_the_page(world: World, viewer: Browser, at: str) -> None:
    mails(world, 3)
    world.record(world.ours, rejected(world, 1), rejected(world, 2))
    for name, query in (
        ("Delivered", "is:delivered"),
        ("None", "is:bounced"),
        ("Refused", "is:refused why:reputation"),
    ):
        assert viewer.post(f"{at}/views", {"q": query, "name": name}).status_code == 303
    page = viewer.get(f"{at}?q=is:bounced").text
    counted = re.compile(r">(\w+)<small class=\"count\">(?:<span title=\"[^\"]*\">([^<]*)</span>)?</small>")
    assert counted.findall(page) == [("Delivered", ""), ("None", ""), ("Refused", "")], "they are not waited for"
    place = re.search(r'data-load="([^"]+)"', page)
    assert place is not None
    part = viewer.get(unescape(place[1])).text
    assert counted.findall(part) == [("Delivered", "3"), ("None", "0"), ("Refused", "2")]
    assert "<html" not in part
    assert 'aria-current="page">None' in part
    assert counted.findall(viewer.get(linked(page, "Count each")).text) == counted.findall(part), "without a script"


def test_columns_are_chosen_kept_by_links_views_and_files_and_the_usual_ones_otherwise(
    world: World, viewer: Browser, at: str
) -> None:
    mails(world, 60)
    heads = re.compile(r'<th scope="col" class="[^"]*">([^<]+)</th>')
    usual = ["Accepted", "State", "To", "Subject", "Answer", "Tries"]
    assert heads.findall(viewer.get(at).text) == usual
    for wrong in (
        "columns=at,colour",
        "columns=%3Cscript%3E",
        "columns=state,from,answer,tries,delay,size,mx,host,login",
    ):
        assert viewer.get(f"{at}?{wrong}").status_code == 400, wrong
    assert heads.findall(viewer.get(f"{at}?columns=host").text) == ["Accepted", "Host"], "something leads to the mail"
    page = viewer.get(f"{at}?q=is:delivered&columns=to&columns=from&columns=queue_id").text  # as the form sends them
    assert heads.findall(page) == ["To", "From", "Queue id"]
    assert re.search(r'class="host"[^>]*>4[A-Z0-9]+</td>', page)
    assert heads.findall(viewer.get(linked(page, "earlier")).text) == ["To", "From", "Queue id"]
    wide = f"{at}?q=is:delivered&columns=at,state,to,from,subject,answer,tries,host"
    assert len(shown(viewer.get(wide).text)) == 35, "a page of many columns is not larger"
    assert len(shown(viewer.get(linked(viewer.get(wide).text, "earlier")).text)) == 25
    csv = viewer.get(f"{at}.csv?q=is:delivered&columns=to,from,queue_id").text
    assert csv.splitlines()[0] == "mail_id,recipient,sender,queue_id"
    assert viewer.get(f"{at}.csv").text.splitlines()[0].startswith("mail_id,relay,accepted_at,number,")
    form = {"q": "is:delivered", "name": "Who", "columns": "to,from,queue_id"}
    assert viewer.post(f"{at}/views", form | {"columns": "colour"}).status_code == 400
    saved = viewer.post(f"{at}/views", form).headers["location"]
    assert saved == f"{at}?q=is:delivered&columns=to,from,queue_id"
    page = viewer.get(at).text
    assert linked(page, "Who") == saved
    assert heads.findall(viewer.get(saved).text) == ["To", "From", "Queue id"]
    assert heads.findall(viewer.get(linked(viewer.get(saved).text, "The usual ones")).text) == usual


def test_a_view_is_saved_for_oneself_or_for_all(world: World, viewer: Browser, at: str) -> None:
    operator = member(world, Role.OPERATOR)
    form = {"q": "is:failing -why:unknown_user", "name": "Real trouble"}
    answer = viewer.post(f"{at}/views", form)
    assert (answer.status_code, unescape(answer.headers["location"])) == (
        303,
        f"{at}?q=is:failing%20-why:unknown_user",
    )
    assert linked(viewer.get(at).text, "Real trouble") == answer.headers["location"]
    assert linked(operator.get(at).text, "Real trouble") == "", "it is the viewer's own"
    assert viewer.post(f"{at}/views", {**form, "for": "all"}).status_code == 403
    assert operator.post(f"{at}/views", {**form, "for": "all", "name": "Trouble of all"}).status_code == 303
    page = viewer.get(answer.headers["location"]).text
    assert linked(page, "Trouble of all") != ""
    assert "Remove Real trouble" in page
    assert "Remove Trouble of all" not in page
    shared = next(one for one in world.ledger.views.views(world.ours.workspace.id, 0) if one.user is None)
    for owner, status in ((viewer, 403), (operator, 303)):
        removal = {"view": shared.id, "for": "all", "q": "is:failing"}
        assert owner.post(f"{at}/views/remove", removal).status_code == status
    assert viewer.post(f"{at}/views/remove", {"view": shared.id, "q": ""}).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 61}, {"name": "a\x07"}, {"q": "colour:red"}, {"for": "them"}], ids=str
)
def test_a_view_that_cannot_be_is_refused(world: World, viewer: Browser, at: str, wrong: dict[str, str]) -> None:
    assert viewer.post(f"{at}/views", {"q": "is:failing", "name": "x", **wrong}).status_code == 400
    assert world.ledger.views.views(world.ours.workspace.id, 0) == []


def test_nobody_removes_or_sees_a_view_of_another(world: World, viewer: Browser, at: str) -> None:
    fill(world, world.ours, "hello")
    operator = member(world, Role.OPERATOR)
    operator.post(f"{at}/views", {"q": "is:failing", "name": "Mine"})
    owner = world.services.dashboard.people.visitor(operator.cookie, NOW).user.id
    (own,) = world.ledger.views.views(world.ours.workspace.id, owner)
    assert viewer.post(f"{at}/views/remove", {"view": own.id}).status_code == 404
    assert world.ledger.views.views(world.ours.workspace.id, owner) == [own]
