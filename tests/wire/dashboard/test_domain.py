"""A domain's pages: why it was stopped, the mail that proves it, its proofs in DNS; and nothing is done unseen."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from mailvane.core.errors import ChangedMeanwhile
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType
from mailvane.outbound.domain_changes import Author
from mailvane.outbound.model import Domain, Feedback, Guillotine, SendRequest
from tests.wire.dashboard.browsing import Browser, logged_in, member, reported
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.dashboard.test_ties import failed
from tests.wire.world import NOW, World

NAME = "shop.example"


@pytest.fixture
def operator(world: World) -> Browser:
    world.services.outbound.governance.create(NAME, world.ours.workspace.id, NOW)
    return member(world, Role.OPERATOR)


@pytest.fixture
def at(world: World) -> str:
    return f"/ui/{world.ours.workspace.id}/domains/{NAME}"


def seen(page: str, action: str) -> str:
    found = re.search(rf'/{action}"[^>]*><input type="hidden" name="seen" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_domain_that_the_guillotine_stopped_says_by_which_figures_and_mail(
    world: World, operator: Browser, at: str
) -> None:
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    governance.approve(NAME, "x", NOW, mine)
    governance.change(NAME, {"guillotine": Guillotine(minimum_volume=10)}, "x", NOW, mine)
    for number in range(20):
        governance.decide([SendRequest(domain=NAME, instance=str(number))], NOW)
    event = failed(world, 1)
    world.record(world.ours, event)
    evidence = {"source": "postfix log", "mail": event.mail_id}
    assert governance.feedback(NAME, Feedback(bounces=1, message_id="1", evidence=evidence), NOW)
    page = operator.get(at).text
    assert "Stopped by the guillotine" in text_of(page)
    assert "1 of 20 mails: 5 % bounces" in text_of(page)
    assert "the line is 3 %, from 10 mails on" in text_of(page)
    linked = re.search(r'href="([^"]+)">The mail that brought it about', page)
    assert linked is not None
    assert "r1@isp.example" in operator.get(linked[1]).text
    assert operator.post(f"{at}/restore", {"seen": seen(page, "restore")}).status_code == 303
    assert "1 bounces of 20 mails count no more" in text_of(operator.get(f"{at}/history").text)


def test_nothing_is_done_to_a_domain_that_was_changed_since_it_was_shown(
    world: World, operator: Browser, at: str
) -> None:
    page = operator.get(at).text
    for action, form in (("stop", {}), ("limits", {"daily_limit": "5"}), ("hold", {})):
        governance = world.services.outbound.governance
        before = governance.domain(NAME)
        governance.change(NAME, {"daily_limit": before.daily_limit + 7}, "somebody else", NOW)
        answer = operator.post(f"{at}/{action}", {**form, "seen": seen(page, action)})
        assert answer.status_code == 409, action
        assert "was changed since this page was shown" in answer.text
        assert governance.domain(NAME).daily_limit == before.daily_limit + 7
        assert not governance.domain(NAME).stopped
        page = answer.text
    assert world.services.outbound.holds.all() == []
    assert operator.post(f"{at}/stop", {"seen": seen(page, "stop")}).status_code == 303
    assert world.services.outbound.governance.domain(NAME).stopped


def test_a_change_of_somebody_else_between_the_look_and_the_lock_is_seen(world: World) -> None:
    governance = world.services.outbound.governance
    governance.create(NAME, world.ours.workspace.id, NOW)
    looks: list[int] = []

    def is_as_seen(domain: Domain) -> bool:
        looks.append(domain.daily_limit)
        if len(looks) == 1:
            governance.change(NAME, {"daily_limit": 77}, "somebody else", NOW)
        return looks[-1] == looks[0]

    for changes in ({"monthly_limit": 9}, {"status": "suspended"}):
        looks.clear()
        governance.change(NAME, {"daily_limit": 0}, "x", NOW)
        with pytest.raises(ChangedMeanwhile):
            governance.change_by(NAME, changes, Author("x", NOW, expects=is_as_seen))
        assert looks == [0, 77]
    found = governance.domain(NAME)
    assert (found.daily_limit, found.monthly_limit, found.stopped) == (77, 0, False)


def test_its_bounces_lead_to_their_mail(world: World, operator: Browser, at: str) -> None:
    world.record(world.ours, failed(world, 1), structs.replace(failed(world, 2), type=EventType.DELIVERED))
    page = operator.get(f"{at}/bounces").text
    assert f"/mail/{failed(world, 1).mail_id}" in page
    assert f"/mail/{failed(world, 2).mail_id}" not in page
    assert "1 of 2 bounced: 50.0 %" in page


def test_what_nobody_asked_of_its_proofs_is_unknown(world: World, operator: Browser, at: str) -> None:
    unwatched = text_of(operator.get(f"{at}/auth").text)
    assert "not asked: the domain is not watched under Reputation" in unwatched
    assert operator.get(f"{at}/reputation").headers["location"] == f"{at}/auth"
    mine = world.ours.workspace.id
    reported(world, world.ours, "v=spf1 -all")
    name = f"shop{mine}.example"
    world.services.outbound.governance.create(name, mine, NOW)
    assert "v=spf1 -all" in operator.get(f"/ui/{mine}/domains/{name}/auth").text
    assert operator.get(f"/ui/{mine}/domains/{name}/reputation").headers["location"].endswith(f"/domain/{name}")


def test_the_list_says_what_dns_says_as_the_page_does(world: World, operator: Browser, at: str) -> None:
    mine = world.ours.workspace.id
    reported(world, world.ours, "v=spf1 +all")
    name = f"shop{mine}.example"
    world.services.outbound.governance.create(name, mine, NOW)
    page = operator.get(f"/ui/{mine}/domains").text
    told = re.findall(rf'aria-label="(\w+) of {name}: ([^"]+)"><use href="#(\w+)"', page)
    assert [(each[0], each[2]) for each in told] == [("SPF", "bad"), ("DKIM", "unknown"), ("DMARC", "warn")]
    assert told[0][1] == "every server in the world may send in its name"
    assert told[0][1] in text_of(operator.get(f"/ui/{mine}/domains/{name}/auth").text)
    unwatched = re.findall(rf'aria-label="\w+ of {NAME}: [^"]+"><use href="#(\w+)"', page)
    assert unwatched == ["unknown"] * 3


def test_the_list_draws_the_deliveries_of_thirty_days_of_each_domain(world: World, operator: Browser) -> None:
    mine, other = world.ours.workspace.id, structs.replace(failed(world, 4), sender="a@other.example")
    ago = [structs.replace(failed(world, number), accepted_at=NOW - days * DAY_MS, at=NOW - days * DAY_MS)
           for number, days in ((1, 2), (2, 2), (3, 29), (5, 30), (6, 0))]  # fmt: skip
    world.record(world.ours, other, *ago)
    part = operator.get(f"/ui/{mine}/domains-courses").text
    told = f"4 deliveries of {NAME} in 30 days, at most 2 a day (15 Jan); today 1, yesterday 0"
    assert re.findall(r'data-into="course-(\d+)"', part) == [str(world.services.outbound.governance.domain(NAME).id)]
    assert f'aria-label="{told}"' in part
    linked = re.search(r'class="course" href="([^"]+)"', part)
    assert linked is not None
    log = text_of(operator.get(linked[1]).text)
    assert "r3@isp.example" in log
    assert "r5@isp.example" not in log
    page = operator.get(f"/ui/{mine}/domains").text
    assert f'data-load="/ui/{mine}/domains-courses"' in page
    assert told not in page, "it is not waited for"
    assert f'aria-label="{told}"' in operator.get(f"/ui/{mine}/domains?courses=1").text, "without a script"


def stopped(world: World, at: int, *, least: int = 20) -> None:
    """By one bounce of twenty mails, a second each, the last of which was sent at that moment."""
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    governance.create(NAME, mine, at - HOUR_MS)
    governance.approve(NAME, "x", at, mine)
    governance.change(NAME, {"guillotine": Guillotine(minimum_volume=least)}, "x", at, mine)
    for number in range(20):
        governance.decide([SendRequest(domain=NAME, instance=str(number))], at - (19 - number) * 1000)
    evidence = {"source": "postfix log", "mail": "1"}
    assert governance.feedback(NAME, Feedback(bounces=1, message_id="1", evidence=evidence), at)


def test_a_stopped_domain_tells_how_it_came_to_its_line(world: World) -> None:
    stopped(world, NOW)
    bounced = failed(world, 9)
    for number in range(20):
        sent = NOW - (19 - number) * 1000
        event = structs.replace(failed(world, number), accepted_at=sent, at=sent + 100, type=EventType.DELIVERED)
        if number in {9, 19}:  # the other one came after the stop, as its notice did not count
            event = structs.replace(event, type=EventType.BOUNCED)
        bounced = event if number == 9 else bounced
        world.record(world.ours, event)
    viewer, at = member(world, Role.VIEWER), f"/ui/{world.ours.workspace.id}/domains/{NAME}"
    page = viewer.get(at).text
    assert "How it came to the line" in page
    assert f'data-load="{at}/approach"' in page
    part = viewer.get(f"{at}/approach").text
    assert "5 % of 20 mails at the stop, where the line is 3 %" in part
    assert f'<a href="/ui/{world.ours.workspace.id}/mail/{bounced.mail_id}"><title>' in part
    assert "1 of 10 = 10.0%, with 95 % certainty 1.8% to 40.4%" in part
    assert part.count("<circle") == 1
    assert "If certainty were asked for it would not have been stopped by then." in part
    assert "mail log" not in text_of(part)
    assert text_of(part).strip() in text_of(viewer.get(f"{at}?approach=1").text), "without a script"


def test_a_stopped_domain_lets_twenty_a_day_pass_and_ends_that_again(world: World) -> None:
    stopped(world, NOW)
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    operator, at = member(world, Role.OPERATOR), f"/ui/{mine}/domains/{NAME}"
    viewer, tomorrow = member(world, Role.VIEWER), NOW + DAY_MS

    def passed(name: str) -> int:
        asked = [SendRequest(domain=NAME, instance=f"{name} {each}") for each in range(25)]
        return sum(each.allowed for each in governance.decide(asked, tomorrow))

    page = operator.get(at).text
    assert "Letting 20 a day (UTC) pass leaves it stopped" in text_of(page)
    assert "they pass from tomorrow on. At 20 a day and no bounce, below 3 % on about Thu 18 Jan, after 14 mails." in (
        text_of(page)
    )
    assert "a day pass</button>" not in viewer.get(at).text
    assert viewer.post(f"{at}/probation", {"daily": "20"}).status_code == 403
    for daily in ("1001", "-1", "x", ""):
        assert operator.post(f"{at}/probation", {"daily": daily}).status_code == 400
    form = {"seen": seen(page, "probation"), "daily": "20"}
    governance.change(NAME, {"guillotine": Guillotine(minimum_volume=15)}, "somebody else", NOW, mine)
    assert operator.post(f"{at}/probation", form).status_code == 409
    assert passed("before") == 0
    form["seen"] = seen(operator.get(at).text, "probation")
    assert operator.post(f"{at}/probation", form).status_code == 303
    assert governance.domain(NAME).guillotine == Guillotine(minimum_volume=15, probation_daily=20)
    assert passed("then") == 20
    page = operator.get(at).text
    assert "but 20 mails a day pass as a probation" in text_of(page)
    assert "20 a day pass while stopped" in text_of(operator.get(f"{at}/history").text)
    assert operator.post(f"{at}/probation", {"seen": seen(page, "probation"), "daily": "0"}).status_code == 303
    assert not governance.decide([SendRequest(domain=NAME, instance="last")], tomorrow + DAY_MS)[0].allowed
    assert governance.domain(NAME).guillotine == Guillotine(minimum_volume=15)
    governance.change(NAME, {"status": "active"}, "x", NOW, mine)
    assert operator.post(f"{at}/probation", {"daily": "20"}).status_code == 409, "it is not stopped"


def test_a_domain_tells_where_its_month_would_end_and_why_its_counts_of_bounces_differ(
    world: World, operator: Browser, at: str
) -> None:
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    assert f'data-load="{at}/counts"' in operator.get(at).text
    unknown = text_of(operator.get(f"{at}/counts").text)
    assert "Where January ends is unknown: 0 whole weeks of its mail are known, and 4 are needed." in unknown
    governance.approve(NAME, "x", NOW, mine)
    governance.change(NAME, {"monthly_limit": 20, "guillotine": Guillotine(bounce_percent=100)}, "x", NOW, mine)
    earlier = [structs.replace(failed(world, 100 + ago), accepted_at=NOW - ago * DAY_MS, at=NOW - ago * DAY_MS)
               for ago in range(20, 41)]  # fmt: skip
    world.record(world.ours, failed(world, 1), failed(world, 1, recipient="r3@isp.example"), *earlier)
    for ago in range(19, -1, -1):
        governance.decide([SendRequest(domain=NAME, instance=str(ago))], NOW - ago * DAY_MS)
    assert governance.feedback(NAME, Feedback(bounces=1, message_id="1"), NOW)
    part = operator.get(f"{at}/counts").text
    assert "By the last 5 weeks, January would end at 31 to 31, beyond its limit of 20." in text_of(part)
    assert "2 of 2 deliveries bounced; 1 of 17 mails count against it." in text_of(part)
    assert "Told by: notifications of Amazon SES." in text_of(part)
    linked = re.search(r'href="([^"]+)">2 of 2', part)
    assert linked is not None
    assert "r3@isp.example" in operator.get(linked[1].replace("&amp;", "&")).text
    whole = text_of(operator.get(f"{at}?counts=1").text)
    assert "By the last 5 weeks" in whole, "without a script"
    assert "Why these differ" in whole


def test_what_the_mail_log_does_not_know_of_the_way_to_the_line_is_said(world: World) -> None:
    stopped(world, NOW)
    viewer, at = member(world, Role.VIEWER), f"/ui/{world.ours.workspace.id}/domains/{NAME}"
    part = text_of(viewer.get(f"{at}/approach").text)
    assert "The mail log tells of 0 of the 1 bounces one by one." in part
    assert "When mail was sent is known to the minute" in part
    world.services.outbound.governance.change(NAME, {"status": "active"}, "x", NOW)
    assert viewer.get(f"{at}/approach").status_code == 404
    world.services.outbound.governance.change(NAME, {"status": "suspended"}, "x", NOW)
    assert viewer.get(f"{at}/approach").status_code == 404, "a person stopped it"
    assert "How it came to the line" not in viewer.get(at).text


def test_a_domain_that_sends_is_governed_as_a_claim_unless_the_server_says_so(world: World) -> None:
    mine, governance = world.ours.workspace.id, world.services.outbound.governance
    at, operator, viewer = f"/ui/{mine}/domains", member(world, Role.OPERATOR), member(world, Role.VIEWER)
    world.record(world.ours, failed(world, 1))
    assert f'{at}?govern=shop.example#govern">govern' in operator.get(f"{at}-ungoverned").text
    assert "govern" not in text_of(viewer.get(f"{at}-ungoverned").text)
    assert 'value="shop.example"' in operator.get(f"{at}?govern=shop.example").text
    assert "Govern a domain" not in viewer.get(at).text
    assert viewer.post(at, {"name": NAME}).status_code == 403
    assert operator.post(at, {"name": "no domain"}).status_code == 400
    assert operator.post(at, {"name": " Shop.example "}).headers["location"] == f"{at}/{NAME}"
    assert (governance.domain(NAME).workspace, governance.domain(NAME).approved) == (mine, False)
    assert "claimed, and not approved yet" in operator.get(f"{at}/{NAME}").text
    again = operator.post(at, {"name": NAME})
    assert (again.status_code, "there is a domain shop.example already" in again.text) == (400, True)
    world.services.dashboard.people.first_link(NOW)
    admin = logged_in(world, "admin")
    assert admin.post(at, {"name": "sure.example"}).status_code == 303
    assert governance.domain("sure.example").approved
    assert governance.audit("sure.example", 1, mine)[0].actor == "admin"
    assert "claimed" not in admin.get(f"{at}/sure.example").text


def test_the_list_is_kept_as_a_file_with_its_figures(world: World, operator: Browser) -> None:
    governance, mine = world.services.outbound.governance, world.ours.workspace.id
    governance.change(NAME, {"daily_limit": 2, "approved": True}, "x", NOW)
    for number in range(3):
        governance.decide([SendRequest(domain=NAME, instance=str(number))], NOW)
    answer = operator.get(f"/ui/{mine}/domains.csv")
    head, row = (line.split(",") for line in answer.text.splitlines())
    told = dict(zip(head, row, strict=True))
    assert told["domain"] == NAME
    assert (told["state"], told["sent_today"], told["daily_limit"], told["monthly_limit"]) == (
        "day used up",
        "2",
        "2",
        "",
    )
    assert (told["sent"], told["bounces"], told["bounce_rate"], told["spf"]) == ("2", "0", "0.0", "unknown")
    assert answer.headers["content-disposition"] == 'attachment; filename="domains.csv"'
