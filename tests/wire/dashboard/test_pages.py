"""The dashboard over HTTP: who gets in, what each may see and do, and what every answer carries."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.dashboard.application import HEADERS
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.rendering import code
from mailvane.maillog.queries import HourlyCounts
from mailvane.outbound.suppression import SuppressionReason
from mailvane.outbound.suppression_list import Said
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.model import (
    AssetKind,
    Observation,
    ObservationKind,
    Refresh,
    Source,
    Zone,
    ZoneHealth,
)
from tests.wire.dashboard.browsing import HOSTILE, PASSWORD, SAME, Browser, entry_of, fill, logged_in, member, paths
from tests.wire.world import MAIL_ID, NOW, ZONE, World


@pytest.fixture
def admin(world: World) -> Browser:
    world.services.dashboard.people.first_link(NOW)
    return logged_in(world, "admin")


def test_without_a_session_every_page_leads_to_the_login(world: World) -> None:
    browser = Browser(world)
    for method, declared, path in paths(world, world.ours):
        if "/login" in declared or declared == "/logout":
            continue
        answer = browser.get(path) if method == "get" else browser.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/login"), path


def test_every_answer_carries_the_policy(admin: Browser, world: World) -> None:
    fill(world, world.ours, "hello")
    for method, _, path in paths(world, world.ours):
        answer = admin.get(path) if method == "get" else admin.post(path)
        assert answer.status_code < 500, path
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS), path
    for path in ("/ui/nothing", "/ui/static/nothing.css", "/ui/1/log?q=colour:red"):
        assert admin.get(path).headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_what_strangers_write_is_text(admin: Browser, world: World) -> None:
    fill(world, world.ours, HOSTILE)
    looked_at = 0
    for method, _, path in paths(world, world.ours):
        if method == "get":
            answer = admin.get(path)
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue  # a file to keep
            assert "<script>alert" not in answer.text, path
            assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", answer.text), path
            looked_at += "alert(1)" in answer.text
    assert looked_at >= 3


def test_a_link_is_shown_before_it_is_used(world: World) -> None:
    people = world.services.dashboard.people
    token = people.first_link(NOW)
    browser = Browser(world)
    assert "admin" in browser.get(f"/ui/login/{token}").text
    assert "admin" in browser.get(f"/ui/login/{token}").text, "looking did not use it"
    assert browser.post(f"/ui/login/{token}").headers["location"] == "/ui/workspaces"
    assert browser.post(f"/ui/login/{token}").status_code == 403


def test_a_password_opens_and_logging_out_ends(admin: Browser, world: World) -> None:
    wrong = admin.post("/ui/account/password", {"password": PASSWORD, "again": "other"})
    assert (wrong.status_code, "differ" in wrong.text) == (400, True)
    assert admin.post("/ui/account/password", {"password": PASSWORD, "again": PASSWORD}).status_code == 303
    browser = Browser(world)
    assert browser.post("/ui/login", {"name": "admin", "password": "wrong"}).status_code == 403
    assert browser.post("/ui/login", {"name": "admin", "password": PASSWORD}).status_code == 303
    assert browser.get("/ui/account").status_code == 200
    assert browser.post("/ui/logout").status_code == 303
    assert browser.get("/ui/account").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(admin: Browser, world: World, headers: dict[str, str]) -> None:
    fill(world, world.ours, "hello")
    name = f"shop{world.ours.workspace.id}.example"
    path = f"/ui/{world.ours.workspace.id}/domains/{name}/stop"
    assert admin.post(path, {}, **headers).status_code == 403
    assert not world.services.outbound.governance.domain(name).stopped
    assert admin.post(path).status_code == 303
    assert world.services.outbound.governance.domain(name).stopped


def test_a_form_without_its_site_needs_our_origin(admin: Browser, world: World) -> None:
    def sent(**headers: str) -> int:
        cookie = {"cookie": f"mailvane={admin.cookie}", "host": "localhost"}
        return world.client.post("/ui/logout", headers={**cookie, **headers}, follow_redirects=False).status_code

    assert sent() == 403
    assert sent(origin="http://evil.example") == 403
    assert sent(origin="null") == 403
    assert sent(origin="http://localhost") == 303


def test_a_viewer_looks_and_changes_nothing(world: World) -> None:
    fill(world, world.ours, "hello")
    viewer = member(world, Role.VIEWER)
    name = f"shop{world.ours.workspace.id}.example"
    path = f"/ui/{world.ours.workspace.id}/domains/{name}"
    page = viewer.get(path)
    assert page.status_code == 200
    assert "Stop it now" not in page.text
    assert viewer.post(f"{path}/stop").status_code == 403
    assert viewer.post(f"/ui/{world.ours.workspace.id}/inbound/quarantine/reject", {"message": "x"}).status_code == 403
    operator = member(world, Role.OPERATOR)
    assert "Stop it now" in operator.get(path).text
    assert operator.post(f"{path}/limits", {"daily_limit": "5", "monthly_limit": "50"}).status_code == 303
    assert world.services.outbound.governance.domain(name).daily_limit == 5
    assert operator.post(f"{path}/limits", {"daily_limit": "many"}).status_code == 400


def test_an_operator_holds_and_releases_a_domain_and_sees_who_is_spared(world: World) -> None:
    fill(world, world.ours, "hello")
    mine = world.ours.workspace.id
    path, name = f"/ui/{mine}/domains", f"shop{mine}.example"
    said = Said(reason=SuppressionReason.COMPLAINED)
    world.services.outbound.suppressions.add(mine, "a@x.example", said, NOW)
    operator, viewer = member(world, Role.OPERATOR), member(world, Role.VIEWER)
    assert viewer.post(f"{path}/{name}/hold").status_code == 403
    assert operator.post(f"{path}/{name}/hold").status_code == 303
    assert [each.name for each in world.services.outbound.holds.all()] == [name]
    assert "on hold" in viewer.get(path).text
    assert "Mail to these addresses is refused." in viewer.get(path).text
    assert "Release its mail" in operator.get(f"{path}/{name}").text
    assert operator.post(f"{path}/{name}/release").status_code == 303
    assert world.services.outbound.holds.all() == []
    world.services.outbound.governance.create("claimed.example", mine, NOW, approved=False)
    assert operator.post(f"{path}/claimed.example/hold").status_code == 400


def test_no_page_shows_another_workspace(world: World) -> None:
    fill(world, world.theirs, "secret of theirs")
    ours = member(world, Role.OWNER)
    for method, declared, path in paths(world, world.theirs):
        if "{workspace" not in declared:
            continue
        answer = ours.get(path) if method == "get" else ours.post(path)
        assert answer.status_code == 404, path
        assert "secret" not in answer.text
    mine = world.ours.workspace.id
    for method, declared, path in paths(world, world.theirs):
        if "{workspace" not in declared:
            continue
        own = path.replace(f"/ui/{world.theirs.workspace.id}", f"/ui/{mine}", 1)
        answer = ours.get(own) if method == "get" else ours.post(own)
        assert not re.search("secret[ -]of", answer.text), own
    for path in (f"/ui/{mine}/mail/{MAIL_ID}", f"/ui/{mine}/domains/shop{world.theirs.workspace.id}.example"):
        assert ours.get(path).status_code == 404
    for path in (f"/ui/{mine}", f"/ui/{mine}/log?q=since:10w", f"/ui/{mine}/log.csv?q=since:10w", "/ui/workspaces"):
        assert "secret" not in ours.get(path).text
        assert ours.get(path).status_code == 200


def test_the_apis_never_read_the_cookie(admin: Browser) -> None:
    for path in ("/mail/log", "/v1/team", "/domains", "/mailvane/v1/targets"):
        assert admin.get(path).status_code in {401, 403}, path


def test_elsewhere_than_on_loopback_the_cookie_is_sent_over_tls_only(world: World) -> None:
    token = world.services.dashboard.people.first_link(NOW)
    headers = {"host": "mail.example", **SAME}
    answer = world.client.post(f"/ui/login/{token}", headers=headers, follow_redirects=False)
    assert re.match("__Host-mailvane=.*; Path=/; HttpOnly; SameSite=Lax; .*; Secure$", answer.headers["set-cookie"])


def test_held_mail_is_denied_and_its_sender_blocked(world: World) -> None:
    fill(world, world.ours, "hello")
    operator, mine = member(world, Role.OPERATOR), world.ours.workspace.id
    path = f"/ui/{mine}/inbound/quarantine"
    found = re.search('name="message" value="([^"]+)"', operator.get(path).text)
    assert found is not None
    assert operator.post(f"{path}/reject", {"message": found[1], "remember": "1"}).status_code == 303
    assert world.services.dashboard.triage.run(NOW + 9_999) is False
    assert "1 mail will be denied in 10 s" in operator.get(path).text
    world.services.dashboard.triage.run(NOW + 10_000)
    held = world.ledger.inbound.messages.message(mine, found[1])
    contact = world.ledger.inbound.contacts.contact(mine, "s@y.example")
    assert held is not None
    assert contact is not None
    assert (held.status, contact.state) == ("denied", "blocked")
    assert operator.post(f"{path}/reject", {}).status_code == 400


def test_a_formula_in_the_csv_is_a_text(admin: Browser, world: World) -> None:
    fill(world, world.ours, "=1+1")
    answer = admin.get(f"/ui/{world.ours.workspace.id}/log.csv?q=since:10w")
    assert answer.headers["content-disposition"] == 'attachment; filename="mail-log.csv"'
    assert "'=1+1" in answer.text
    assert ",=1+1" not in answer.text


def test_the_overview_tells_what_is_not_known_apart_and_pins_alerts_to_their_hour(admin: Browser, world: World) -> None:
    fill(world, world.ours, "hello")
    page = admin.get(f"/ui/{world.ours.workspace.id}").text
    assert "Everything that is asked has answered." in page
    assert 'class="pin" href="/ui/' in page
    world.ledger.zones.save_zone(Zone(host="gone.example"))
    world.ledger.zones.save_zone_health(
        [ZoneHealth(host="gone.example", usable=False, reason="its test point is gone")]
    )
    page = admin.get(f"/ui/{world.ours.workspace.id}").text
    assert "1 thing is not known." in page
    told = page[page.index('id="unknown"') :]
    assert told.index("gone.<wbr>example cannot be asked") < told.index("its test point is gone")


def test_the_navigation_counts_what_needs_a_person(admin: Browser, world: World) -> None:
    def told(path: str = "") -> dict[str, str]:
        page = admin.get(f"/ui/{world.ours.workspace.id}{path}").text
        found = re.findall(
            r'data-go="(\w)".*?</svg>\w+ <span class="badge[^>]*>(\d+)<span class="unseen"> (.*?)</span>', page
        )
        return {key: f"{count} {words}" for key, count, words in found}

    assert told() == {}
    fill(world, world.ours, "hello")
    assert told("/settings/keys") == {}, "kept for a few seconds, while nobody does anything"
    at = f"/ui/{world.ours.workspace.id}"
    assert admin.post(f"{at}/domains/shop{world.ours.workspace.id}.example/stop").status_code == 303
    assert told("/settings/keys") == {"d": "1 stopped or at a limit", "r": "1 bad", "a": "1 open", "i": "1 held"}
    assert admin.post(f"{at}/alerts/fired/{entry_of(world, world.ours)}/acknowledge").status_code == 303
    assert told() == {"d": "1 stopped or at a limit", "r": "1 bad", "i": "1 held"}


def test_moments_are_of_the_zone_that_the_browser_says_if_there_is_one(admin: Browser, world: World) -> None:
    fill(world, world.ours, "hello")
    cookie = admin.cookie
    for said in ("Asia%2FTokyo", "", "..%2F..%2Fetc%2Fpasswd", "%00", "Nowhere", "<script>", "x" * 4000):
        admin.cookie = f"{cookie}; mailvane-zone={said}"
        answer = admin.get(f"/ui/{world.ours.workspace.id}/alerts")
        assert answer.status_code == 200, said
        found = re.findall(r'<time datetime="([^"]+)"[^>]*>([^<]+)</time>', answer.text)
        assert found
        zone = ZoneInfo("Asia/Tokyo") if said == "Asia%2FTokyo" else ZONE
        for at, told in found:
            assert told == datetime.fromisoformat(at).astimezone(zone).strftime("%d %b %H:%M:%S"), said


def test_the_overview_stands_without_the_mail_log(
    admin: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ledger knows is told, and figures of mail are said to be unknown rather than zero."""
    fill(world, world.ours, "hello")

    def down(_question: object) -> list[HourlyCounts]:
        raise StoreUnavailable("the mail log does not answer: connection refused")

    monkeypatch.setattr(world.services.dashboard.maillog, "hourly", down)
    answer = admin.get(f"/ui/{world.ours.workspace.id}")
    assert answer.status_code == 503
    assert "connection refused" in answer.text
    assert "How mail fares is unknown." in answer.text
    assert "that question has not been answered since" in answer.text
    assert "1 held mail waits for a decision" in answer.text
    assert 'class="tiles"' not in answer.text


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/domains", "mailvane domain create shop.example --workspace ours"),
        ("/mailboxes", "mailvane mailbox create ann@shop.example --workspace ours"),
        ("/inbound/aliases", "mailvane address add ann@in.example --workspace ours"),
        ("/reputation", "mailvane watch add ip 192.0.2.1 --workspace ours"),
    ],
)
def test_a_page_without_anything_says_which_command_to_copy(
    admin: Browser, world: World, path: str, command: str
) -> None:
    page = admin.get(f"/ui/{world.ours.workspace.id}{path}").text
    button = f'<button type="button" data-copy="{command}" aria-label="Copy: {command}" data-script>Copy</button>'
    assert f"<code>{command}</code> {button}" in page


def test_what_stands_between_backticks_is_code_and_stays_text() -> None:
    assert code("Look with `mailvane log <x>`: <b>now</b>, or `a") == (
        "Look with <code>mailvane log &lt;x&gt;</code>: &lt;b&gt;now&lt;/b&gt;, or `a"
    )
    assert code("") == ""


def test_advice_names_commands_as_code(admin: Browser, world: World) -> None:
    """Of a domain that was stopped, which the server itself tells of."""
    workspace, reputation = world.ours.workspace.id, world.services.reputation
    reputation.alerting.create(
        workspace, AlertDraft(name="stopped", rules=({"type": "MV_SENDING_STOPPED", "domains": ["ALL_DOMAINS"]},)), NOW
    )
    stopped = Observation(
        kind=ObservationKind.STOPPED,
        asset="shop.example",
        key="",
        at=NOW,
        seen_at=NOW,
        data={"holds": True, "since": NOW},
    )
    refresh = Refresh(
        source=Source.SERVER, kind=AssetKind.DOMAIN, asset="shop.example", at=NOW, observations=(stopped,)
    )
    reputation.watched_assets.record(workspace, [refresh], NOW)
    reputation.alerting.evaluate(workspace, [Source.SERVER], NOW)
    page = admin.get(f"/ui/{workspace}/alerts/fired/{entry_of(world, world.ours)}").text
    assert "<code>mailvane domain audit</code> says who or what stopped it" in page
