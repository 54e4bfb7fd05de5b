"""People, sessions and login links, on every ledger."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from mailvane.core.errors import InvalidFields, NotAllowed, NotAuthenticated, NotFound
from mailvane.core.ledger.migration import MIGRATIONS
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.oidc.model import Proven
from mailvane.dashboard.people.model import Binding, Membership, Reach, Role
from mailvane.dashboard.people.service import Browser, Login, People, ProofNeeded, TooManyFailures
from mailvane.server.ledger import Ledger, open_ledger

NOW = 1_790_000_000_000
HERE = Browser("192.0.2.1", "a browser")
PASSWORD = "correct horse battery"


@pytest.fixture
def people(ledger: Ledger) -> People:
    return People(ledger.people, ledger.tenants)


@pytest.fixture
def admin(people: People) -> Login:
    token = people.first_link(NOW)
    assert token is not None
    return people.enter_by_link(token, HERE, NOW)


def test_the_first_link_is_made_once_and_opens_once(people: People) -> None:
    token = people.first_link(NOW)
    assert token is not None
    assert people.first_link(NOW) is None
    assert people.link_user(token, NOW).name == "admin"
    people.enter_by_link(token, HERE, NOW)
    with pytest.raises(NotAuthenticated):
        people.enter_by_link(token, HERE, NOW)
    with pytest.raises(NotAuthenticated):
        people.link_user(token, NOW)


def test_whoever_came_before_there_is_a_way_in_for_who_runs_the_server(people: People, ledger: Ledger) -> None:
    workspace = ledger.tenants.add_workspace("acme", NOW).id
    people.set_role(workspace, "ann@x.example", Role.OWNER, NOW)
    token = people.first_link(NOW)
    assert token is not None
    assert people.link_user(token, NOW).is_server


def test_an_identity_belongs_to_one_person_until_it_is_forgotten(people: People, ledger: Ledger) -> None:
    workspace = ledger.tenants.add_workspace("acme", NOW).id
    for name in ("ann@x.example", "bob@x.example"):
        people.set_role(workspace, name, Role.VIEWER, NOW)
    ann, bob = (
        Proven(identity="https://a.example 1", email=f"{name}@x.example", is_verified=True) for name in ("ann", "bob")
    )
    first = people.enter_proven(ann, None, HERE, NOW)
    assert people.enter_proven(bob, None, HERE, NOW).session.user == first.session.user, "the subject, not the address"
    with pytest.raises(NotAuthenticated):
        people.enter_proven(msgspec.structs.replace(ann, identity="https://a.example 2"), None, HERE, NOW)
    visitor = people.visitor(first.token, NOW)
    assert visitor.user.identity == "https://a.example 1"
    people.forget_identity(visitor, NOW)
    assert people.enter_proven(bob, None, HERE, NOW).session.user != first.session.user


def test_a_link_is_over_after_a_quarter_of_an_hour(people: People) -> None:
    token = people.first_link(NOW) or ""
    with pytest.raises(NotAuthenticated):
        people.enter_by_link(token, HERE, NOW + 15 * MINUTE_MS)


def test_a_session_ends_when_it_is_idle_and_after_thirty_days(people: People, admin: Login) -> None:
    now = NOW
    while now < NOW + 30 * DAY_MS - 11 * HOUR_MS:
        now += 11 * HOUR_MS
        assert people.visitor(admin.token, now).user.name == "admin"
    with pytest.raises(NotAuthenticated):
        people.visitor(admin.token, NOW + 30 * DAY_MS)
    other = people.enter_by_link(people.login_link("admin", NOW), HERE, NOW)
    with pytest.raises(NotAuthenticated):
        people.visitor(other.token, NOW + 12 * HOUR_MS)


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "\0"])
def test_nothing_else_opens_a_session(people: People, admin: Login, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        people.visitor(token, NOW)
    with pytest.raises(NotAuthenticated):
        people.visitor(admin.session.id, NOW)


def test_a_password_opens_and_ends_other_sessions(people: People, admin: Login) -> None:
    other = people.enter_by_link(people.login_link("admin", NOW), HERE, NOW)
    people.set_password(people.visitor(admin.token, NOW), PASSWORD, NOW)
    assert people.visitor(admin.token, NOW).user.password is not None
    with pytest.raises(NotAuthenticated):
        people.visitor(other.token, NOW)
    login = people.enter(" Admin ", PASSWORD, HERE, NOW)
    assert people.visitor(login.token, NOW).user.is_server
    with pytest.raises(InvalidFields):
        people.set_password(people.visitor(admin.token, NOW), "short", NOW)


def test_five_wrong_passwords_a_minute_are_too_many(people: People, admin: Login) -> None:
    people.set_password(people.visitor(admin.token, NOW), PASSWORD, NOW)
    for name in ("admin", "nobody", "admin", "\0", "admin"):
        with pytest.raises(NotAuthenticated):
            people.enter(name, "wrong", HERE, NOW)
    with pytest.raises(TooManyFailures):
        people.enter("admin", PASSWORD, HERE, NOW + MINUTE_MS - 1)
    people.enter("admin", PASSWORD, Browser("198.51.100.1", ""), NOW)
    people.enter("admin", PASSWORD, HERE, NOW + MINUTE_MS)


def test_what_can_do_harm_asks_for_a_fresh_proof(people: People, admin: Login) -> None:
    people.set_password(people.visitor(admin.token, NOW), PASSWORD, NOW)
    later = NOW + 16 * MINUTE_MS
    visitor = people.visitor(admin.token, later)
    with pytest.raises(ProofNeeded):
        visitor.require_proof(later)
    with pytest.raises(NotAuthenticated):
        people.prove(visitor, "wrong", HERE, later)
    token = people.prove(visitor, PASSWORD, HERE, later)
    people.visitor(token, later).require_proof(later)
    with pytest.raises(NotAuthenticated):
        people.visitor(admin.token, later)


def test_members_see_their_workspaces_and_no_others(people: People, ledger: Ledger) -> None:
    ours, theirs = (ledger.tenants.add_workspace(name, NOW).id for name in ("ours", "theirs"))
    people.set_role(ours, "Ann@x.example", Role.OPERATOR, NOW)
    ann = people.enter_by_link(people.login_link("ann@x.example", NOW), HERE, NOW)
    visitor = people.visitor(ann.token, NOW)
    assert [each.id for each in people.workspaces(visitor)] == [ours]
    visitor.require(ours, Role.VIEWER)
    visitor.require(ours, Role.OPERATOR)
    with pytest.raises(NotAllowed):
        visitor.require(ours, Role.OWNER)
    with pytest.raises(NotFound):
        visitor.require(theirs, Role.VIEWER)
    assert [(user.name, member.role) for user, member in people.members(ours)] == [("ann@x.example", Role.OPERATOR)]
    people.set_role(ours, "ann@x.example", Role.VIEWER, NOW)
    assert people.visitor(ann.token, NOW).role_in(ours) is Role.VIEWER
    people.remove_member(ours, visitor.user.id)
    assert people.workspaces(people.visitor(ann.token, NOW)) == []


def test_a_member_is_invited_and_logged_out_by_those_in_charge(people: People, ledger: Ledger) -> None:
    ours, theirs = (ledger.tenants.add_workspace(name, NOW).id for name in ("ours", "theirs"))
    admin = people.visitor(people.enter_by_link(people.first_link(NOW) or "", HERE, NOW).token, NOW)
    ann, bob = (people.set_role(ours, f"{name}@x.example", Role.VIEWER, NOW).id for name in ("ann", "bob"))
    former = people.invite(admin, ours, ann, NOW)
    link = people.invite(admin, ours, ann, NOW + 1)
    with pytest.raises(NotAuthenticated):
        people.link_user(former, NOW + 2)
    week = NOW + 7 * DAY_MS
    assert [each.invited_until for each in people.standings(admin, ours, NOW + 2)] == [week + 1, None]
    assert people.standings(admin, ours, week + 1)[0].invited_until is None
    token = people.enter_by_link(link, HERE, week).token
    with pytest.raises(NotAuthenticated):
        people.enter_by_link(link, HERE, week)
    people.set_role(ours, "ann@x.example", Role.OWNER, NOW)
    owner = people.visitor(token, week)
    with pytest.raises(NotAllowed, match="run the server"):
        people.invite(owner, ours, bob, week)
    with pytest.raises(ProofNeeded):
        people.invite(admin, ours, bob, week)
    people.set_password(owner, PASSWORD, week)
    again = people.visitor(people.enter_by_link(people.login_link("admin", week), HERE, week).token, week)
    with pytest.raises(InvalidFields, match="has a way in"):
        people.invite(again, ours, ann, week)
    with pytest.raises(NotFound):
        people.invite(again, theirs, ann, week)
    entered = people.enter_by_link(people.login_link("bob@x.example", week), HERE, week).token
    seen = {each.user.name: (len(each.sessions), each.is_in_hand) for each in people.standings(owner, ours, week)}
    assert seen == {"ann@x.example": (1, True), "bob@x.example": (1, True)}
    people.set_role(theirs, "bob@x.example", Role.VIEWER, NOW)
    with pytest.raises(NotAllowed, match="not yours"):
        people.end_all(owner, ours, bob, week)
    people.visitor(entered, week)
    people.remove_member(theirs, bob)
    people.end_all(owner, ours, bob, week)
    with pytest.raises(NotAuthenticated):
        people.visitor(entered, week)
    people.set_role(ours, "admin", Role.VIEWER, NOW)
    with pytest.raises(NotAllowed):
        people.end_all(owner, ours, admin.user.id, week)


def test_a_member_is_bound_to_domains_until_somebody_says_otherwise(people: People, ledger: Ledger) -> None:
    ours, theirs = (ledger.tenants.add_workspace(name, NOW).id for name in ("ours", "theirs"))
    people.set_role(ours, "ann@x.example", Role.OPERATOR, NOW, Binding(("Shop.example", "a.example", "shop.example")))
    people.set_role(theirs, "ann@x.example", Role.OWNER, NOW)
    ann = people.enter_by_link(people.login_link("ann@x.example", NOW), HERE, NOW)
    assert people.visitor(ann.token, NOW).reach_in(ours) == Reach(ours, frozenset({"shop.example", "a.example"}))
    assert people.visitor(ann.token, NOW).reach_in(theirs) is None
    assert people.visitor(ann.token, NOW).reach_in(99) == Reach(99, frozenset()), "nothing, where it is no member"
    people.set_role(ours, "ann@x.example", Role.VIEWER, NOW)
    assert people.members(ours)[0][1].domains == ("a.example", "shop.example"), "a role says nothing of it"
    for wrong in (Binding(("no domain",)), Binding(tuple(f"d{number}.example" for number in range(51)))):
        with pytest.raises(InvalidFields):
            people.set_role(ours, "ann@x.example", Role.VIEWER, NOW, wrong)
    with pytest.raises(InvalidFields):
        people.set_role(ours, "ann@x.example", Role.OWNER, NOW)
    with pytest.raises(InvalidFields):
        people.set_role(ours, "bob@x.example", Role.OWNER, NOW, Binding(("a.example",)))
    assert ledger.people.user_named("bob@x.example") is None
    people.set_role(ours, "ann@x.example", Role.VIEWER, NOW, Binding(()))
    assert people.visitor(ann.token, NOW).reach_in(ours) == Reach(ours, frozenset())
    people.set_role(ours, "ann@x.example", Role.OWNER, NOW, Binding(None))
    assert people.visitor(ann.token, NOW).reach_in(ours) is None


def test_members_of_an_older_ledger_are_bound_to_nothing(ledger_url: str) -> None:
    engine = create_engine(ledger_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0037")
        named = "(id, name, created_at, retention_days) VALUES (1, 'acme', 1, 0)"
        connection.execute(text(f"INSERT INTO workspaces {named}"))
        connection.execute(text("INSERT INTO users (id, name, is_server, created_at) VALUES (1, 'ann', false, 1)"))
        connection.execute(text("INSERT INTO memberships (user_id, workspace, role) VALUES (1, 1, 'owner')"))
    engine.dispose()
    with closing(open_ledger(ledger_url)) as ledger:
        assert ledger.people.members(1) == [Membership(1, 1, Role.OWNER, None)]


def test_sessions_are_listed_and_ended(people: People, admin: Login) -> None:
    other = people.enter_by_link(people.login_link("admin", NOW), Browser("2001:db8::1", "x" * 5000), NOW)
    visitor = people.visitor(admin.token, NOW)
    found = people.sessions(visitor, NOW)
    assert {each.address for each in found} == {"192.0.2.1", "2001:db8::1"}
    assert max(len(each.agent) for each in found) == 200
    people.end(visitor, other.session.id)
    with pytest.raises(NotAuthenticated):
        people.visitor(other.token, NOW)
    people.end(visitor, "nothing")
    assert people.visitor(admin.token, NOW)


@pytest.mark.parametrize("name", ["", " ", "a b", "<x>", "é", "\0", "x" * 101])
def test_a_name_is_short_and_plain(people: People, name: str) -> None:
    with pytest.raises(InvalidFields):
        people.add_user(name, is_server=False, now=NOW)
