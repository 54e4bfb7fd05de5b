"""Tracking links over HTTP: made with a key, asked for by anybody, counted once; forged ones are not found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec import structs

from mailvane.mailboxes.tracking.machines import load_machines
from mailvane.mailboxes.tracking.replies import replies_in
from mailvane.mailboxes.tracking.settling import Settling
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from tests.wire.world import NOW, World, accepted, ended

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
APPLE = {"User-Agent": "Mozilla/5.0"}
TARGETS = ["https://shop.example/a?b=c", "https://shop.example/d"]
PATH = "/mailvane/v1/tracking/links"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(scope="module")
def world(shared_world: World) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_world.services.tracking.app._rates, "_most", 0)
        yield shared_world


def make(world: World, message_id: str, **more: Any) -> Any:
    given = {"message_id": message_id, "recipient": "Client@ISP.example", "links": TARGETS, "unsubscribe": True} | more
    answer = world.client.post(PATH, json=given, headers=world.ours.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(world: World, url: str, **headers: str) -> httpx.Response:
    parts = urlsplit(url)
    asked = parts.path + (f"?{parts.query}" if parts.query else "")
    return world.client.get(asked, headers=headers or FIREFOX, follow_redirects=False)


def path(url: str) -> str:
    return urlsplit(url).path


def sent(world: World, number: int) -> MailEvent:
    """A mail that the log gets to know now."""
    event = structs.replace(
        accepted(world.ours, "client@isp.example", number=number), message_id=f"<{number}@mta.example>"
    )
    world.record(world.ours, event, ended(event))
    return event


def settle(world: World, now: int) -> None:
    services = world.services
    Settling(
        world.ledger.tracking,
        lambda: world.maillog,
        services.tenancy,
        services.maillog.recorder.record,
        load_machines(),
    ).round(now)
    services.maillog.recorder.drain()


def told(world: World, event: MailEvent, now: int = NOW + 60_000) -> list[tuple[str, bool]]:
    """What the log says was done with a mail, once all is settled."""
    settle(world, now)
    done = {EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED, EventType.REPLIED, EventType.TAGGED}
    events = world.maillog.mail_events(world.ours.workspace.id, event.key)
    return sorted((str(each.type), each.automatic) for each in events if each.type in done)


def test_opens_and_clicks_reach_the_mail_that_comes_later(world: World) -> None:
    made = make(world, "<101@mta.example>")
    pixel = get(world, made["pixel"])
    assert (pixel.status_code, pixel.headers["content-type"], pixel.content[:6]) == (200, "image/gif", b"GIF89a")
    assert "no-store" in pixel.headers["cache-control"]
    led = get(world, made["links"][0]["url"])
    assert (led.status_code, led.headers["location"]) == (302, TARGETS[0])
    get(world, made["pixel"])
    get(world, made["links"][0]["url"])
    event = sent(world, 101)
    assert told(world, event) == [("clicked", False), ("opened", False)]
    get(world, made["pixel"])
    assert told(world, event) == [("clicked", False), ("opened", False)], "once of a kind, asked again later, too"


def test_machines_are_kept_apart(world: World) -> None:
    event = sent(world, 102)
    made = make(world, event.message_id)
    get(world, made["pixel"], **APPLE)
    assert told(world, event) == [("opened", True)]
    get(world, made["pixel"])
    assert told(world, event) == [("opened", False), ("opened", True)], "a person may open it afterwards"


def test_every_link_at_once_is_a_scanner_in_any_disguise(world: World) -> None:
    event = sent(world, 103)
    made = make(world, event.message_id)
    for link in made["links"]:
        assert get(world, link["url"]).status_code == 302
    assert told(world, event, NOW) == [], "it is judged when it is known what else was followed"
    assert told(world, event) == [("clicked", True), ("clicked", True)]


def test_head_and_prefetching_count_nothing(world: World) -> None:
    event = sent(world, 104)
    made = make(world, event.message_id)
    for url in (made["pixel"], made["links"][0]["url"], made["unsubscribe"]["url"]):
        answer = world.client.head(path(url), headers=FIREFOX, follow_redirects=False)
        assert (answer.status_code < 400, answer.content) == (True, b"")
    for header in ({"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}):
        assert get(world, made["links"][0]["url"], **FIREFOX, **header).status_code == 302
    assert world.client.options(path(made["pixel"])).status_code < 500
    assert told(world, event) == []


def test_unsubscribing_takes_one_click_and_no_scanner_makes_it(world: World) -> None:
    event = sent(world, 105)
    unsubscribe = make(world, event.message_id)["unsubscribe"]
    assert unsubscribe["headers"] == {
        "List-Unsubscribe": f"<{unsubscribe['url']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    page = get(world, unsubscribe["url"])
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    where = path(unsubscribe["url"])
    assert world.client.post(where).status_code == 400
    assert world.client.post(where, data={"List-Unsubscribe": "no"}).status_code == 400
    assert world.client.post(where, content=b"a" * 5000).status_code == 400
    assert world.client.delete(where).status_code == 405
    assert told(world, event) == []
    assert world.client.post(where, data=ONE_CLICK).status_code == 200
    assert world.client.post(where, files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert told(world, event) == [("unsubscribed", False)]


def test_a_multipart_form_unsubscribes(world: World) -> None:
    event = sent(world, 106)
    where = path(make(world, event.message_id)["unsubscribe"]["url"])
    assert world.client.post(where, files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert told(world, event) == [("unsubscribed", False)]


def test_what_is_forged_is_not_found(world: World) -> None:
    event = sent(world, 107)
    made = make(world, event.message_id)
    click, pixel = path(made["links"][0]["url"]), path(made["pixel"])
    token = click.rpartition("/")[2]
    wrong = [
        "/t", "/t/", "/t/c", "/t/c/", "/t/x/" + token, "/t/o/" + token, "/t/o/" + token + ".gif", "/t/u/" + token,
        click[:-1], click + "A", click[:40], "/t/c/" + token[:21] + "A" + token[22:], click + "%00",
        "/t/c/" + token.swapcase(), pixel.replace("/o/", "/c/"), "/t/c/" + "A" * 5000,
    ]  # fmt: skip
    for each in wrong:
        answer = world.client.get(each, headers=FIREFOX, follow_redirects=False)
        assert (answer.status_code, "location" in answer.headers) == (404, False), each
    assert get(world, made["links"][0]["url"] + "?target=https://evil.example/").headers["location"] == TARGETS[0]
    assert told(world, event) == [("clicked", False)]


def test_a_link_says_nothing_of_another_tenants_mail(world: World) -> None:
    event = sent(world, 108)
    given = {"message_id": event.message_id, "recipient": "client@isp.example"}
    made = world.client.post(PATH, json=given, headers=world.theirs.headers).json()
    assert get(world, made["pixel"]).status_code == 200
    assert told(world, event) == []


def test_by_the_id_of_the_mail_log(world: World) -> None:
    event = sent(world, 109)
    given = {"mail_id": event.mail_id, "recipient": "client@isp.example"}
    made = world.client.post(PATH, json=given, headers=world.ours.headers).json()
    assert (made["links"], made["unsubscribe"]) == ([], None)
    get(world, made["pixel"])
    assert told(world, event) == [("opened", False)]


WRONG = [
    {},
    {"recipient": "a@x.example"},
    {"recipient": "a@x.example", "message_id": "<a@b>", "mail_id": "0" * 18},
    {"recipient": "nobody", "message_id": "<a@b>"},
    {"recipient": "a@x.example", "message_id": "<a@b> <c@d>"},
    {"recipient": "a@x.example", "mail_id": "xyz"},
    {"recipient": "a@x.example", "mail_id": "0" * 18, "relay": 999},
    {"recipient": "a@x.example", "message_id": "<a@b>", "links": ["javascript:alert(1)"]},
    {"recipient": "a@x.example", "message_id": "<a@b>", "links": ["https://x.example/"] * 201},
    {"recipient": "a@x.example", "message_id": "<a@b>", "unknown": 1},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_wrong_questions_are_refused(world: World, given: dict[str, Any]) -> None:
    assert world.client.post(PATH, json=given, headers=world.ours.headers).status_code == 400


def test_making_links_needs_a_key(world: World) -> None:
    assert world.client.post(PATH, json={"recipient": "a@x.example", "message_id": "<a@b>"}).status_code == 401


def test_one_address_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(world, "<bounded@mta.example>")
    monkeypatch.setattr(world.services.tracking.app._rates, "_most", 5)
    monkeypatch.setattr("mailvane.mailboxes.tracking.endpoint.monotonic", lambda: 1e9)
    found = [get(world, made["pixel"]).status_code for _ in range(7)]
    assert found == [200] * 5 + [429] * 2


def reply(world: World, number: int, **facts: Any) -> None:
    """A mail that comes in, after those of the tests."""
    terms = {"sender": "client@isp.example", "header_from": "client@isp.example", "subject": "Re: order"}
    came = accepted(world.ours, "shop@ours.example", seconds_later=60, number=number)
    event = structs.replace(came, message_id=f"<{number}@isp.example>", **(terms | facts))
    world.record(world.ours, event, ended(event))
    noticed = replies_in(EventBatch("", world.ours.workspace.id, 0, [event, ended(event)]))
    world.ledger.tracking.add([(each, each.at) for each in noticed])


REPLIES: list[tuple[dict[str, Any], list[tuple[str, bool]]]] = [
    ({"in_reply_to": "<{}@mta.example>"}, [("replied", False)]),
    ({"references": "<other@isp.example> <{}@mta.example>"}, [("replied", False)]),
    ({"in_reply_to": "<{}@mta.example>", "sender": "", "header_from": "Client@ISP.example"}, [("replied", True)]),
    ({"in_reply_to": "<{}@mta.example>", "automatic": True}, [("replied", True)]),
    ({"in_reply_to": "<{}@mta.example>", "subject": "Out of office: gone"}, [("replied", True)]),
    ({"in_reply_to": "<{}@mta.example>", "subject": "Automatische Antwort: weg"}, [("replied", True)]),
    ({"in_reply_to": "<{}@mta.example>", "header_from": "MAILER-DAEMON@isp.example"}, []),
    ({"in_reply_to": "<{}@mta.example>", "sender": "", "subject": "Undelivered Mail Returned to Sender"}, []),
    ({"in_reply_to": "<{}@mta.example>", "header_from": "shop@ours.example"}, []),  # the next of the same sender
    ({"in_reply_to": "<{}@elsewhere.example>"}, []),
    ({"subject": "Re: {}"}, []),
]


@pytest.mark.parametrize("number", range(len(REPLIES)))
def test_replies_are_found_by_their_thread(world: World, number: int) -> None:
    facts, found = REPLIES[number]
    event = sent(world, 200 + number)
    written = {name: text.format(200 + number) if isinstance(text, str) else text for name, text in facts.items()}
    reply(world, 300 + number, **written)
    assert told(world, event) == found


def test_a_reply_from_another_address_is_found_too(world: World) -> None:
    event = sent(world, 250)
    reply(world, 350, in_reply_to="<250@mta.example>", header_from="boss@isp.example", sender="boss@isp.example")
    assert told(world, event) == [("replied", False)]


def test_a_colleague_who_goes_on_with_a_thread_answers_nothing(world: World) -> None:
    event = sent(world, 252)
    reply(world, 352, in_reply_to="<252@mta.example>", header_from="boss@ours.example", sender="boss@ours.example")
    assert told(world, event) == []
    to_colleague = structs.replace(
        accepted(world.ours, "boss@ours.example", number=253), message_id="<253@mta.example>"
    )
    world.record(world.ours, to_colleague, ended(to_colleague))
    reply(world, 353, in_reply_to="<253@mta.example>", header_from="boss@ours.example", sender="boss@ours.example")
    assert told(world, to_colleague) == [("replied", False)]


def test_a_reply_that_the_log_knows_before_its_mail_is_looked_for_again(world: World) -> None:
    reply(world, 355, in_reply_to="<255@mta.example>")
    for minute in range(1, 12):  # as a server does, again and again
        settle(world, NOW + 60_000 * 2**minute)
    assert told(world, sent(world, 255), NOW + 48 * 3_600_000) == [("replied", False)]


def test_the_last_mail_before_the_reply_is_answered(world: World) -> None:
    first = sent(world, 260)
    second = structs.replace(first, number=261, message_id="<261@mta.example>", accepted_at=first.accepted_at + 5_000)
    world.record(world.ours, second, ended(second))
    reply(world, 360, in_reply_to="<260@mta.example>", references="<260@mta.example> <261@mta.example>")
    assert (told(world, first), told(world, second)) == ([], [("replied", False)])


def test_a_reply_is_tagged(world: World) -> None:
    event = sent(world, 270)
    given = {"mail_id": event.mail_id, "recipient": "client@isp.example", "positive": True}
    answer = world.client.post("/mailvane/v1/replies/tag", json=given, headers=world.ours.headers)
    assert answer.status_code == 204, answer.text
    assert told(world, event) == [("tagged", False)]
    for wrong in ({"mail_id": "x"}, {"relay": 999}, {"positive": "yes"}):
        answer = world.client.post("/mailvane/v1/replies/tag", json=given | wrong, headers=world.ours.headers)
        assert answer.status_code == 400
