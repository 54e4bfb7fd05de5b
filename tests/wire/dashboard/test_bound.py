"""A member who is bound to domains sees and changes their mail alone, on every page, and is refused what tells more."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
from msgspec import structs

from mailvane.core.errors import MailvaneError, NotAllowed, NotFound
from mailvane.core.moments import HOUR_MS
from mailvane.dashboard.bound_services import bound_services
from mailvane.dashboard.pages import PAGES
from mailvane.dashboard.people.model import Binding, Reach, Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.views.store import SavedView
from mailvane.maillog.figure_questions import FigureQuestion
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import EventType, MailEvent
from mailvane.maillog.queries import HourlyQuestion, LogQuestion
from mailvane.outbound.domain_changes import Author
from mailvane.outbound.holds import HoldKind
from mailvane.outbound.model import Domain
from mailvane.outbound.services import OutboundServices
from mailvane.reputation.board import Place
from mailvane.reputation.model import AssetKind, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from tests.wire.dashboard.browsing import Browser, fill, logged_in, paths
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.dashboard.test_ties import failed
from tests.wire.world import MAIL_ID, NOW, World

MINE, OTHER = "mine.example", "other.example"
SECRET = "secret-of-others"
# What a bound member gets, cut to the domains; all other pages of a workspace are refused.
OF_DOMAINS = {
    ("get", "/{workspace:int}"),
    ("get", "/{workspace:int}/log"),
    ("get", "/{workspace:int}/log/newer"),
    ("get", "/{workspace:int}/log/views"),
    ("get", "/{workspace:int}/log.csv"),
    ("post", "/{workspace:int}/log/views"),
    ("post", "/{workspace:int}/log/views/remove"),
    ("get", "/{workspace:int}/mail/{mail:str}"),
    ("get", "/{workspace:int}/mail/{mail:str}/ties"),
    ("get", "/{workspace:int}/mail/{mail:str}/lines.txt"),
    ("get", "/{workspace:int}/mail/{mail:str}/events.json"),
    ("get", "/{workspace:int}/domains"),
    ("get", "/{workspace:int}/domains.csv"),
    ("get", "/{workspace:int}/domains-courses"),
    ("get", "/{workspace:int}/domains/{name:str}"),
    ("get", "/{workspace:int}/domains/{name:str}/counts"),
    ("post", "/{workspace:int}/domains/{name:str}/stop"),
    ("post", "/{workspace:int}/domains/{name:str}/probation"),
    ("post", "/{workspace:int}/domains/{name:str}/restore"),
    ("post", "/{workspace:int}/domains/{name:str}/limits"),
    ("post", "/{workspace:int}/domains/{name:str}/hold"),
    ("post", "/{workspace:int}/domains/{name:str}/release"),
    ("get", "/{workspace:int}/domains/{name:str}/bounces"),
    ("get", "/{workspace:int}/domains/{name:str}/auth"),
    ("get", "/{workspace:int}/domains/{name:str}/reputation"),
    ("get", "/{workspace:int}/domains/{name:str}/history"),
    ("get", "/{workspace:int}/domains/{name:str}/approach"),
    ("get", "/{workspace:int}/domains/{name:str}/what-if"),
    ("get", "/{workspace:int}/reputation/{kind:str}/{name:str}"),
}


def bound(world: World, *domains: str, role: Role = Role.OPERATOR) -> Browser:
    people, name = world.services.dashboard.people, f"bound-{role}@x.example"
    people.set_role(world.ours.workspace.id, name, role, NOW, Binding(domains))
    return logged_in(world, name)


@pytest.fixture
def mine(world: World) -> MailEvent:
    """A mail of the domain, in a workspace with something of others on every page."""
    fill(world, world.ours, SECRET)
    workspace, governance = world.ours.workspace.id, world.services.outbound.governance
    for name in (MINE, OTHER):
        governance.create(name, workspace, NOW - HOUR_MS)
        world.services.reputation.watched_assets.add(workspace, AssetKind.DOMAIN, [name], NOW)
    governance.change(OTHER, {"status": "suspended", "daily_limit": 31337}, SECRET, NOW)
    view = SavedView(id="v", workspace=workspace, user=None, name=SECRET, query=f"to:{SECRET}", created_at=NOW)
    world.ledger.views.add(view)
    sent = failed(
        world, 7, sender=f"me@{MINE}", recipient="r7@own-recipient.example", subject="my own subject", reply="550 no"
    )
    theirs = failed(world, 8, sender=f"they@{OTHER}", recipient="r8@isp.example", subject=SECRET)
    refused = failed(world, 9, sender=f"they@{OTHER}", type=EventType.REJECTED, reply=SECRET)
    below = failed(world, 10, sender=f"they@below.{MINE}", subject=SECRET)
    world.record(world.ours, sent, theirs, refused, below)
    return sent


def leaks(world: World, text: str) -> list[str]:
    """What nobody may read who is bound to MINE."""
    number = world.ours.workspace.id
    secrets = (SECRET, OTHER, f"shop{number}.example", "a.example", f"192.0.2.{number}", f"in{number}.example", "31337")
    return [each for each in secrets if re.search(rf"(?<![\w.-]){re.escape(each)}", text)]


def test_the_pages_of_a_bound_member_are_those_that_were_thought_of() -> None:
    assert {(page.method, page.path) for page in PAGES if page.of_domains} == OF_DOMAINS
    assert all(page.path.startswith("/{workspace:int}") for page in PAGES if page.of_domains)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("name", [f"shop{1}.example", OTHER])
def test_no_route_tells_a_bound_member_of_others(world: World, mine: MailEvent, role: Role, name: str) -> None:
    assert mine.sender.endswith(MINE)
    browser, number = bound(world, MINE, role=role), world.ours.workspace.id
    before = {each.name: each for each in world.services.outbound.governance.domains(number)}
    asked = 0
    for method, declared, path in paths(world, world.ours):
        if "{workspace" not in declared:
            continue
        own = path.replace(f"shop{number}.example", name)
        form = {"daily_limit": "1", "monthly_limit": "1", "name": "x", "for": "all", "q": "to:x", "view": "v"}
        answer = browser.get(own) if method == "get" else browser.post(own, form)
        assert answer.status_code < 500, own
        assert leaks(world, answer.text.replace(name, "")) == [], own
        if (method, declared) not in OF_DOMAINS:
            assert answer.status_code == 403, own
            told = "you may see only the mail of mine.example" in answer.text
            assert told or (role is Role.VIEWER and method == "post") or "only an owner" in answer.text, own
        elif "{name:str}" in declared or "{mail:str}" in declared:
            assert answer.status_code in {403, 404}, own
        asked += 1
    assert asked == sum(page.path.startswith("/{workspace") for page in PAGES)
    assert {each.name: each for each in world.services.outbound.governance.domains(number)} == before
    assert world.services.outbound.holds.all() == []
    assert [each.name for each in world.ledger.views.views(number, 0)] == [SECRET]


@pytest.mark.parametrize(
    "query",
    [
        "?range=1h",
        "?range=30d",
        "?since=2024-01-01&until=2024-01-31",
        "/log",
        "/log?q=since:10w",
        f"/log?q=from:{OTHER}",
        f"/log?q=-from:{MINE}",
        "/log?q=is:refused",
        f"/log?q=is:refused from:{OTHER}",
        f"/log?q=id:{MAIL_ID}",
        "/log?q=4QUEUE8ID",
        "/log?q=queue:4QUEUE8ID",
        "/log?q=r8@isp.example",
        "/log.csv?q=since:10w",
        "/log.csv?q=is:refused",
        "/log/newer?q=since:10w",
        "/log/views",
        "/domains?senders=1",
        f"/mail/{MAIL_ID}",
        f"/mail/{MAIL_ID}/lines.txt",
        f"/mail/{MAIL_ID}/events.json",
    ],
)
def test_whatever_is_asked_for_others_are_not_told(world: World, mine: MailEvent, query: str) -> None:
    answer = bound(world, MINE).get(f"/ui/{world.ours.workspace.id}{query}")
    shown = re.sub(r'(value|href|hx-get|action)="[^"]*"', "", answer.text)  # the query itself, as it was asked
    tokens = re.sub(r'<p class="tokens">.*?</p>', "", shown, flags=re.DOTALL)
    assert [each for each in leaks(world, tokens) if each not in query] == []
    assert SECRET not in answer.text
    assert mine.mail_id
    assert answer.status_code == (404 if query.startswith("/mail/") else 200)
    assert "10 deliveries" not in answer.text


def test_own_mail_is_seen_and_counted_alone(world: World, mine: MailEvent) -> None:
    browser, at = bound(world, MINE), f"/ui/{world.ours.workspace.id}"
    overview = browser.get(f"{at}?range=7d")
    assert "0 % of 1 finished deliveries arrived in the last 7 days." in text_of(overview.text)
    assert "you may see only the mail of mine.example" in overview.text
    assert "own-recipient.example" in overview.text
    assert "isp.example" not in overview.text
    assert re.findall(r'data-go="(\w)"', overview.text) == ["o", "l", "d", "w"]
    assert 'class="badge' not in overview.text
    assert "/ticks" not in overview.text, "versions count all that happens"
    log = browser.get(f"{at}/log").text
    assert "my own subject" in log
    assert browser.get(f"{at}/log.csv").text.count("\n") == 2
    one = f"{at}/mail/{mine.mail_id}"
    assert all("my own subject" in browser.get(f"{one}{part}").text for part in ("", "/events.json"))
    assert browser.get(f"{one}/lines.txt").status_code == 200
    assert "mine.example has no limit" in text_of(browser.get(f"{one}/ties").text)
    domains = browser.get(f"{at}/domains").text
    assert "1 domain is governed" in text_of(domains)
    assert "Suppression list" not in domains
    assert [each.partition(",")[0] for each in browser.get(f"{at}/domains.csv").text.split()] == ["domain", MINE]
    for part in ("", "/bounces", "/auth", "/history", "/what-if"):
        assert browser.get(f"{at}/domains/{MINE}{part}").status_code == 200, part
    assert "1 of 1 bounced" in browser.get(f"{at}/domains/{MINE}/bounces").text
    watched = browser.get(f"{at}/domains/{MINE}/reputation").headers["location"]
    assert browser.get(watched).status_code == 200
    assert 'method="post"' not in browser.get(watched).text
    page = browser.get("/ui/workspaces").text
    (row,) = re.findall(r"<tr data-href.*?</tr>", page, re.DOTALL)
    assert re.search('data-label="bounced">.* <span class="dim">1</span>', row)
    assert row.count("not yours to see") == 3
    assert "New workspace" not in page


def test_own_domains_are_changed_by_the_role_and_views_are_ones_own(world: World, mine: MailEvent) -> None:
    assert mine
    at, governance = f"/ui/{world.ours.workspace.id}", world.services.outbound.governance
    assert bound(world, MINE, role=Role.VIEWER).post(f"{at}/domains/{MINE}/stop").status_code == 403
    operator = bound(world, MINE)
    assert operator.post(f"{at}/domains/{MINE}/stop").status_code == 303
    assert governance.domain(MINE).stopped
    assert operator.post(f"{at}/domains/{MINE}/restore").status_code == 303
    assert operator.post(f"{at}/domains/{MINE}/limits", {"daily_limit": "5"}).status_code == 303
    assert operator.post(f"{at}/domains/{MINE}/hold").status_code == 303
    assert operator.post(f"{at}/domains/{MINE}/release").status_code == 303
    assert (governance.domain(MINE).daily_limit, governance.domain(MINE).stopped) == (5, False)
    form = {"name": "mine", "q": "is:failing"}
    assert operator.post(f"{at}/log/views", {**form, "for": "all"}).status_code == 403
    assert operator.post(f"{at}/log/views", form).status_code == 303
    assert ">mine<" in operator.get(f"{at}/log").text
    assert SECRET not in operator.get(f"{at}/log").text


def test_who_is_bound_to_no_domain_sees_nothing(world: World, mine: MailEvent) -> None:
    browser, at = bound(world), f"/ui/{world.ours.workspace.id}"
    assert "No delivery has ended" in text_of(browser.get(at).text)
    assert "you may see the mail of no domain" in browser.get(at).text
    assert "my own subject" not in browser.get(f"{at}/log?q=since:10w").text
    assert browser.get(f"{at}/mail/{mine.mail_id}").status_code == 404
    assert browser.get(f"{at}/domains/{MINE}").status_code == 404


def test_the_stream_of_an_open_page_is_refused(world: World, mine: MailEvent) -> None:
    assert mine
    answer = bound(world, MINE).get(f"/ui/{world.ours.workspace.id}/ticks")
    assert answer.status_code == 403


def test_an_owner_binds_members_and_a_role_alone_leaves_them_bound(world: World) -> None:
    people, workspace = world.services.dashboard.people, world.ours.workspace.id
    at = f"/ui/{workspace}/settings/members"
    people.set_role(workspace, "owner@x.example", Role.OWNER, NOW)
    owner = logged_in(world, "owner@x.example")

    def held() -> dict[str, Any]:
        return {user.name: (member.role, member.domains) for user, member in people.members(workspace)}

    form = {"name": "new@x.example", "role": "viewer", "bound": "1", "domains": "Shop.example, bücher.example"}
    assert owner.post(at, form).status_code == 303
    assert held()["new@x.example"] == (Role.VIEWER, ("shop.example", "xn--bcher-kva.example"))
    assert "shop.example, xn--bcher-kva.example" in owner.get(at).text
    assert owner.post(at, {"name": "new@x.example", "role": "operator"}).status_code == 303
    assert held()["new@x.example"] == (Role.OPERATOR, ("shop.example", "xn--bcher-kva.example"))
    for wrong in ({"role": "owner"}, {"bound": ""}, {"domains": "no domain at all?"}, {"domains": "x.example " * 51}):
        many = {"domains": " ".join(f"d{number}.example" for number in range(51))}
        answer = owner.post(at, {**form, **(many if len(str(wrong)) > 100 else wrong)})
        assert answer.status_code == 400, wrong
    assert held()["new@x.example"][1] == ("shop.example", "xn--bcher-kva.example")
    assert owner.post(at, {**form, "bound": "1", "domains": ""}).status_code == 303
    assert held()["new@x.example"][1] == (), "nothing, rather than all"
    assert owner.post(at, {**form, "bound": "", "domains": ""}).status_code == 303
    assert held()["new@x.example"][1] is None
    people.set_role(workspace, "looks@x.example", Role.VIEWER, NOW)
    assert owner.post(at, form).status_code == 303
    assert "only mail of shop.example" in text_of(logged_in(world, "looks@x.example").get(at).text)


@pytest.fixture
def cut(world: World, mine: MailEvent) -> DashboardServices:
    assert mine
    return bound_services(world.services.dashboard, Reach(world.ours.workspace.id, frozenset({MINE})))


def test_what_was_not_thought_of_is_refused(cut: DashboardServices) -> None:
    """Each service, and each method of the mail log, that is not cut: also those that come later."""
    for whole, known in (
        (cut, {"tenancy", "maillog", "history", "outbound", "reputation", "views", "zone", "followed", "oidc",
               "admission", "tracing", "outages"}),
        (cut.outbound, {"governance", "holds", "bounce_sources"}),
        (cut.reputation, {"watched_assets", "board", "observed"}),
    ):  # fmt: skip
        for name in {each.name for each in fields(whole)} - known:
            with pytest.raises(NotAllowed):
                getattr(whole, name).anything()
            with pytest.raises(NotAllowed):
                getattr(whole, name)()
    known = {"search", "total_and_first", "tally", "tallies", "delays", "outcomes", "over_time", "refused",
             "refused_tally", "refused_over_time", "hourly", "figures", "mail_events"}  # fmt: skip
    for name in {name for name in dir(MailLog) if not name.startswith("_")} - known:
        with pytest.raises(NotAllowed):
            getattr(cut.maillog, name)
    for part in (cut.tenancy, cut.outbound.governance, cut.outbound.holds, cut.reputation.watched_assets,
                 cut.reputation.board, cut.reputation.observed, cut.views):  # fmt: skip
        with pytest.raises(NotAllowed):
            _ = part.anything_else  # type: ignore[union-attr]


def test_each_question_of_the_door_is_of_the_workspace_and_the_domains(world: World, cut: DashboardServices) -> None:
    here, there, relays = world.ours.workspace.id, world.theirs.workspace.id, (world.ours.relay.id,)
    governance, other = cut.outbound.governance, world.services.outbound.governance.domain(OTHER, here)
    hours = HourlyQuestion(workspace=here, relays=relays, since=0, until=NOW)
    figures = FigureQuestion(
        workspace=here, relays=relays, what="bounces", by="sender_domain", domains=(MINE,), first=0, last=0, step=60000,
        window=60000,
    )  # fmt: skip
    watched = ObservationQuestion(workspace=here, kind=ObservationKind.TRAFFIC, assets=(MINE,))
    assert cut.maillog.search(LogQuestion(workspace=here, relays=relays)).total == 1
    assert cut.maillog.hourly(structs.replace(hours, sender_domain=MINE)) is not None
    assert cut.maillog.figures(figures) == []
    assert cut.reputation.observed.observation_page(watched, 0, 1).total == 0
    assert [each.name for each in governance.domains(here)] == [MINE]
    assert cut.reputation.board.row(here, Place.DOMAIN, OTHER, NOW) is None
    assert cut.reputation.watched_assets.named(here, AssetKind.DOMAIN, [MINE, OTHER])[0].name == MINE
    refused: list[tuple[type[MailvaneError], Any]] = [
        (NotAllowed, lambda: cut.maillog.search(LogQuestion(workspace=there, relays=relays))),
        (NotAllowed, lambda: cut.maillog.mail_events(there)),
        (NotAllowed, lambda: cut.maillog.hourly(hours)),
        (NotAllowed, lambda: cut.maillog.hourly(structs.replace(hours, sender_domain=OTHER))),
        (NotAllowed, lambda: cut.maillog.figures(structs.replace(figures, domains=()))),
        (NotAllowed, lambda: cut.maillog.figures(structs.replace(figures, domains=(MINE, OTHER)))),
        (NotAllowed, lambda: cut.maillog.figures(structs.replace(figures, by="recipient_domain"))),
        (NotAllowed, lambda: cut.reputation.observed.observation_page(structs.replace(watched, assets=None), 0, 1)),
        (NotAllowed, lambda: cut.reputation.observed.observation_page(structs.replace(watched, assets=(OTHER,)), 0, 1)),
        (NotAllowed, lambda: cut.tenancy.relays(there)),
        (NotAllowed, lambda: governance.domains(there)),
        (NotAllowed, governance.domains),
        (NotAllowed, lambda: governance.domain(MINE)),
        (NotFound, lambda: governance.domain(OTHER, here)),
        (NotFound, lambda: governance.usages_today([other], NOW)),
        (NotFound, lambda: governance.usage_today(OTHER, NOW, here)),
        (NotFound, lambda: governance.audit(OTHER, 1, here)),
        (NotFound, lambda: governance.decided(other, 0, NOW)),
        (NotFound, lambda: governance.decided_days(other, 0, NOW)),
        (NotFound, lambda: governance.stopping(other, {})),
        (NotFound, lambda: governance.probation(OTHER, 20, Author("x", NOW, here))),
        (NotFound, lambda: governance.change_by(OTHER, {"daily_limit": 1}, Author("x", NOW, here))),
        (NotAllowed, lambda: governance.change_by(MINE, {"daily_limit": 1}, Author("x", NOW))),
        (NotAllowed, lambda: governance.change_by(MINE, {"guillotine": None}, Author("x", NOW, here))),
        (NotAllowed, lambda: governance.change_by(MINE, {"workspace": there}, Author("x", NOW, here))),
        (NotAllowed, lambda: cut.outbound.holds.hold(HoldKind.LOGIN, MINE, "x", NOW)),
        (NotAllowed, lambda: cut.outbound.holds.release(HoldKind.DOMAIN, OTHER)),
        (NotAllowed, lambda: cut.views.remove(here, None, "v")),
    ]
    for error, ask in refused:
        with pytest.raises(error):
            ask()
    assert isinstance(other, Domain)
    assert {OutboundServices, ReputationServices} == {type(cut.outbound), type(cut.reputation)}
