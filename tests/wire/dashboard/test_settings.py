"""Settings of a workspace and the server's own page: who may see and change what, and what is never shown."""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec import structs

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.core.tenants.model import KeyKind
from mailvane.dashboard.people.model import Role
from mailvane.maillog.followed_logs import FollowedLog
from mailvane.maillog.model import EventType
from tests.wire.dashboard.browsing import Browser, fill, logged_in, member
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.dashboard.test_ties import failed
from tests.wire.world import NOW, World


def test_an_owner_changes_relays_of_the_own_workspace_only(world: World) -> None:
    at, tenancy = f"/ui/{world.ours.workspace.id}/settings/relays", world.services.tenancy
    owner, operator = member(world, Role.OWNER), member(world, Role.OPERATOR)
    assert 'method="post"' not in operator.get(at).text
    assert operator.post(at, {"comment": "x"}).status_code == 403
    assert owner.post(at, {"comment": "the second"}).status_code == 303
    assert owner.post(at, {"comment": "\x07"}).status_code == 400
    mine = str(world.ours.relay.id)
    assert owner.post(f"{at}/change", {"relay": mine, "comment": "renamed"}).status_code == 303
    changed = tenancy.relay(world.ours.relay.id)
    assert (changed.comment, changed.active) == ("renamed", False)
    theirs = {"relay": str(world.theirs.relay.id), "comment": "stolen"}
    assert owner.post(f"{at}/change", theirs).status_code == 404
    assert tenancy.relay(world.theirs.relay.id).comment != "stolen"


def test_relays_tell_of_their_logs_at_once_and_of_their_mail_after_the_page(world: World) -> None:
    at = f"/ui/{world.ours.workspace.id}/settings/relays"
    second = world.services.tenancy.create_relay(world.ours.workspace.id, "the intake", NOW)
    silent = world.services.tenancy.create_relay(world.ours.workspace.id, "the old one", NOW)
    followed = FollowedLog("/var/log/mail.log", NOW - HOUR_MS, "ours", lambda: 9 * 3600.0)
    followed.relay = world.ours.relay.id
    followed.reached_end(NOW)
    followed.understood(NOW, 2000, 3, ["mail.log:7: what <b>is</b> this"])
    assert world.services.dashboard.followed is not None
    world.services.dashboard.followed._logs = (followed,)
    for relay, days in ((second, 0), (second, 0), (second, 20), (silent, 3)):  # NOW is of the 17th
        moment = NOW - days * DAY_MS
        event = failed(world, moment % 977, accepted_at=moment, at=moment, relay=relay.id)
        world.record(world.ours, structs.replace(event, type=EventType.ACCEPTED, waiting=1))
    viewer = member(world, Role.VIEWER)
    page = viewer.get(at).text
    assert "3 of 2,000" in page
    assert "mail.log:7: what &lt;b&gt;is&lt;/b&gt; this" in page
    assert "silent for 9 h" in page
    assert "Mails in January" in page
    assert "mail of the last hours" not in page, "it is not waited for"
    place = re.search(r'data-load="([^"]+)"', page)
    assert place is not None
    for path in (place[1], f"{at}?figures=1"):
        rows = re.findall(r"<tr><td><b>.*?</tr>", viewer.get(path).text, re.DOTALL)
        first, intake, old = map(text_of, rows)
        assert "silent for 9 h" in first
        assert re.search(r"mail of the last hours\s*2$", intake)
        assert re.search(r"silent for 2 d 2[0-9] h\s*1$", old)


def test_members_are_changed_by_an_owner_who_proved_it_of_late(world: World) -> None:
    at, people = f"/ui/{world.ours.workspace.id}/settings/members", world.services.dashboard.people
    owner, viewer = member(world, Role.OWNER), member(world, Role.VIEWER)
    form = {"name": "new@x.example", "role": "operator"}
    assert "viewer@x.example" in viewer.get(at).text
    assert 'method="post"' not in viewer.get(at).text
    assert viewer.post(at, form).status_code == 403
    assert owner.post(at, {**form, "role": "king"}).status_code == 400
    assert owner.post(at, {**form, "name": "<b>"}).status_code == 400
    assert owner.post(at, form).status_code == 303
    found = {user.name: (user.id, member.role) for user, member in people.members(world.ours.workspace.id)}
    assert found["new@x.example"][1] is Role.OPERATOR
    stranger = people.set_role(world.theirs.workspace.id, "them@x.example", Role.OWNER, NOW)
    assert owner.post(f"{at}/remove", {"user": str(stranger.id)}).status_code == 404
    assert owner.post(f"{at}/remove", {"user": str(found["new@x.example"][0])}).status_code == 303
    assert "new@x.example" not in owner.get(at).text
    world.services.dashboard.people.first_link(NOW)
    late = logged_in_long_ago(world)
    assert late.post(at, form).status_code == 403
    assert "Is it still you?" in late.post(at, form).text


def test_a_member_is_invited_by_a_link_that_is_shown_once_and_logged_out_everywhere(world: World) -> None:
    at, people = f"/ui/{world.ours.workspace.id}/settings/members", world.services.dashboard.people
    people.first_link(NOW)
    admin, owner = logged_in(world, "admin"), member(world, Role.OWNER)
    new = {"user": str(people.set_role(world.ours.workspace.id, "new@x.example", Role.VIEWER, NOW).id)}
    assert "Invite new@x.example" in admin.get(at).text
    assert "Invite new@x.example" not in owner.get(at).text
    assert owner.post(f"{at}/access", new).status_code == 403
    made = admin.post(f"{at}/access", new)
    found = re.search(r'<code class="secret">http://localhost(/ui/login/[^<]+)</code>', made.text)
    assert found is not None
    assert made.headers["cache-control"] == "no-store"
    assert found[1] not in admin.get(at).text
    assert "invited, the link opens until" in owner.get(at).text
    person = Browser(world)
    assert person.post(found[1]).status_code == 303
    assert person.get(at).status_code == 200
    assert "Log out new@x.example everywhere" in owner.get(at).text
    assert "1 session" in owner.get(at).text
    assert "1 session" not in person.get(at).text, "a viewer"
    stranger = people.set_role(world.theirs.workspace.id, "them@x.example", Role.VIEWER, NOW)
    assert owner.post(f"{at}/access", {"user": str(stranger.id), "act": "end"}).status_code == 404
    assert owner.post(f"{at}/access", {**new, "act": "end"}).status_code == 303
    assert person.get(at).headers["location"] == "/ui/login"


def logged_in_long_ago(world: World) -> Browser:
    """An owner whose proof is sixteen minutes old."""
    people = world.services.dashboard.people
    people.set_role(world.ours.workspace.id, "late@x.example", Role.OWNER, NOW)
    browser = logged_in(world, "late@x.example")
    visitor = people.visitor(browser.cookie, NOW)
    world.ledger.people.prove(visitor.session.id, sha256(browser.cookie.encode()).digest(), NOW - 16 * MINUTE_MS)
    return browser


def test_secrets_are_shown_by_their_end_and_replaced(world: World) -> None:
    fill(world, world.ours, "hello")
    at, owner = f"/ui/{world.ours.workspace.id}/settings/telling", member(world, Role.OWNER)
    (first,) = world.services.notify.signing.living(world.ours.workspace.id, NOW)
    page = owner.get(at).text
    assert f"whsec_…{first.secret[-4:]}" in page
    assert first.secret not in page
    assert member(world, Role.VIEWER).post(f"{at}/rotate").status_code == 403
    assert owner.post(f"{at}/rotate").status_code == 303
    assert len(world.services.notify.signing.living(world.ours.workspace.id, NOW)) == 2


def test_the_page_of_the_server_is_for_those_who_run_it(world: World) -> None:
    world.services.dashboard.people.first_link(NOW)
    admin = logged_in(world, "admin")
    assert admin.get("/ui/server").status_code == 200
    assert member(world, Role.OWNER).get("/ui/server").status_code == 403
    fill(world, world.ours, "hello")
    mine = member(world, Role.VIEWER).get("/ui/workspaces").text
    assert ">ours<" in mine
    assert ">theirs<" not in mine
    assert "1 open" in mine
    assert "1 workspace, 1 relay. 1 needs somebody. Each row" in text_of(mine)


def test_workspaces_are_told_from_what_each_knows_and_made_by_those_who_run_the_server(world: World) -> None:
    world.services.dashboard.people.first_link(NOW)
    admin, owner = logged_in(world, "admin"), member(world, Role.OWNER)
    fill(world, world.ours, "hello")
    for number, days in ((1, 0.5), (2, 3), (3, 6)):
        at = NOW - int(days * DAY_MS)
        told = failed(world, number, accepted_at=at, at=at, type=EventType.ACCEPTED, waiting=1, recipient="")
        world.record(world.ours, told)

    def rows(query: str = "") -> dict[str, str]:
        page = admin.get(f"/ui/workspaces{query}").text
        found = (text_of(row) for row in re.findall(r"<tr data-href.*?</tr>", page, re.DOTALL))
        return {row.split()[0]: row for row in found}

    day, week = rows(), rows("?range=7d")
    assert ["2 mails accepted, from" in day["ours"], "4 mails accepted, from" in week["ours"]] == [True, True]
    assert "1 bad, " in week["ours"]
    assert "nothing watched" in week["theirs"]
    assert "no mail" in week["theirs"]
    assert owner.post("/ui/workspaces", {"name": "third"}).status_code == 403
    assert "New workspace" not in owner.get("/ui/workspaces").text
    for wrong, said in (("", "needs a name"), ("ours", "already")):
        answer = admin.post("/ui/workspaces", {"name": wrong})
        assert (answer.status_code, said in answer.text) == (400, True), wrong
    made = admin.post("/ui/workspaces", {"name": "third"}).headers["location"]
    assert made == f"/ui/{world.services.tenancy.workspace('third').id}/settings/relays"
    assert "third" in rows()


def test_a_key_is_made_by_an_owner_shown_once_given_a_term_and_taken_back(world: World) -> None:
    workspace, tenancy = world.ours.workspace, world.services.tenancy
    at = f"/ui/{workspace.id}/settings/keys"
    owner, operator = member(world, Role.OWNER), member(world, Role.OPERATOR)
    before = {key.id for key in tenancy.keys(workspace.id)}
    assert 'method="post"' not in operator.get(at).text
    assert operator.post(at, {"act": "make", "days": ""}).status_code == 403
    made = owner.post(at, {"act": "make", "days": "30"})
    (key,) = (each for each in tenancy.keys(workspace.id) if each.id not in before)
    found = re.search(r'<code class="secret">([^<]+)</code>', made.text)
    assert found is not None
    assert key.expires_at == NOW + 30 * DAY_MS
    assert made.headers["cache-control"] == "no-store"
    shown = {"X-API-KEY": found[1]}
    assert world.client.get("/mailvane/v1/targets", headers=shown).status_code == 200
    assert found[1] not in owner.get(at).text
    assert f"{key.hint}…" in owner.get(at).text
    assert owner.post(at, {"act": "expire", "key": str(key.id), "days": ""}).status_code == 303
    assert tenancy.key(key.id).expires_at is None
    assert owner.post(at, {"act": "revoke", "key": str(key.id)}).status_code == 303
    assert world.client.get("/mailvane/v1/targets", headers=shown).status_code == 401, (
        "at once, though it was proven just now"
    )
    for wrong in ({"act": "burn", "key": str(min(before))}, {"act": "make", "days": "7"}):
        assert owner.post(at, wrong).status_code == 400, wrong


def test_nobody_touches_a_key_of_another_workspace_or_of_the_platform(world: World) -> None:
    at, tenancy = f"/ui/{world.ours.workspace.id}/settings/keys", world.services.tenancy
    owner = member(world, Role.OWNER)
    before = tenancy.keys()
    strangers = [key for key in before if key.workspace != world.ours.workspace.id]
    assert {key.kind for key in strangers} >= {KeyKind.PLATFORM, KeyKind.WORKSPACE}
    for key in strangers:
        assert owner.post(at, {"act": "revoke", "key": str(key.id)}).status_code == 404
        assert owner.post(at, {"act": "expire", "key": str(key.id), "days": "1"}).status_code == 404
    assert tenancy.keys() == before


def test_a_key_asks_for_the_password_again_and_leads_back(world: World) -> None:
    at = f"/ui/{world.ours.workspace.id}/settings/keys"
    world.services.dashboard.people.first_link(NOW)
    late = logged_in_long_ago(world)
    page = late.get(at).text
    assert "enter your password again" in page
    assert "Make a key" not in page
    for act in ("make", "revoke"):
        answer = late.post(at, {"act": act, "days": ""}, referer=f"http://localhost{at}")
        assert answer.status_code == 403
        assert f'name="back" value="{at}"' in answer.text
    for elsewhere in ("http://evil.example/ui/x", "http://localhost/other", ""):
        answer = late.post(at, {"act": "make", "days": ""}, referer=elsewhere)
        assert 'name="back" value="/ui/workspaces"' in answer.text


def test_the_health_of_inbound_mail_is_told_with_what_is_not_known(world: World) -> None:
    fill(world, world.ours, "hello")
    page = member(world, Role.VIEWER).get(f"/ui/{world.ours.workspace.id}/inbound/health")
    assert page.status_code == 200
    assert "s@y.example" in page.text
    assert "no day is known yet" in page.text
    assert re.search(r">Quarantine</a></td><td>\s*1<", page.text)
