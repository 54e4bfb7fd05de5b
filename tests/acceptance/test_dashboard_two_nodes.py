"""The dashboard of two servers on one PostgreSQL and one ClickHouse, with one host name before them.

Sessions, roles, decisions and views are the ledger's, so each server knows what a person did at the other.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from mailvane.core.moments import HOUR_MS
from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.people.service import People
from mailvane.inbound.model import MessageStatus
from mailvane.server.ledger import Ledger, open_ledger
from tests.acceptance import test_dashboard as flows
from tests.acceptance import test_dashboard_flows as more_flows
from tests.acceptance.installation import HTTP, Installation
from tests.acceptance.test_dashboard import CHROMIUM, LOG, browser
from tests.acceptance.test_dashboard_flows import Flowing, receiver
from tests.contract import clickhouse_server
from tests.contract.ledgers import PostgresServer, postgres
from tests.unit.notify.receiver import Receiver
from tests.waiting import PATIENCE, wait_for
from tests.wire.dashboard.test_alerts import text_of
from tests.wire.inbound import addresses, message, taken_in

__all__ = ["browser", "postgres", "receiver"]
pytestmark = pytest.mark.skipif(
    clickhouse_server.engine_file() is None,
    reason="no ClickHouse library: python tests/contract/clickhouse_server.py --fetch",
)

HOST = "mail.example"  # of a proxy before both, with TLS
ORIGIN = {"origin": f"https://{HOST}"}
Nodes = tuple[Installation, Installation]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Nodes]:
    """Two servers that answer, and what the flows ask of them: a log, a domain."""
    place, name = tmp_path_factory.mktemp("nodes"), f"ledger_{uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name}")
    with clickhouse_server.servers(1, place / "clickhouse") as (port,):
        one, two = Installation(place / "one"), Installation(place / "two")
        for node in (one, two):
            node.environment["MAILVANE_MASTER_TOKEN"] = "the-one-token-of-all-nodes"
            node.environment["MAILVANE_LEDGER"] = postgres.get_uri(name)
            node.environment["MAILVANE_MAILLOG"] = f"clickhouse://default@127.0.0.1:{port}/mailvane"
        (place / "mail.log").write_text(LOG)
        followed = place / "followed.log"
        followed.write_text(more_flows.first_lines())
        (one.data / "mailvane.toml").write_text(more_flows.following(followed))
        (two.data / "mailvane.toml").write_text(more_flows.telling())
        one.tenant("acme")
        with one.serving(), two.serving():
            one.run("import", "postfix", str(place / "mail.log"), "--workspace", "acme", "--year", "2025")
            one.run("domain", "create", "shop.example", "--workspace", "acme")
            yield one, two


@pytest.fixture(scope="module")
def site(nodes: Nodes) -> Installation:
    """The one that the flows of a browser are walked through."""
    return nodes[1]


@pytest.fixture(scope="module")
def flowing(nodes: Nodes, receiver: Receiver) -> Flowing:
    """Pages of one server about a log that the other follows."""
    return Flowing(nodes[1], nodes[0].data.parent / "followed.log", receiver)


@pytest.fixture(scope="module")
def key(ledger: Ledger) -> str:
    """Of the workspace, for who feeds mail."""
    return Tenancy(ledger.tenants, "").create_key(KeyKind.WORKSPACE, 1, now()).token


@pytest.fixture(scope="module")
def ledger(nodes: Nodes) -> Iterator[Ledger]:
    with closing(open_ledger(nodes[0].environment["MAILVANE_LEDGER"])) as opened:
        yield opened


def now() -> int:
    return time.time_ns() // 1_000_000


class Member:
    """A person with one cookie for both servers, as a browser has behind a proxy."""

    def __init__(self, ledger: Ledger, nodes: Nodes, role: Role) -> None:
        self.name = f"{role}-{uuid4().hex[:8]}"
        self.people = People(ledger.people, ledger.tenants)
        self.user = self.people.set_role(1, self.name, role, now())
        self.cookie = ""
        self._clients = [httpx.Client(base_url=node.url, timeout=PATIENCE) for node in nodes]

    def log_in(self, node: int) -> None:
        link = self.people.login_link(self.name, now())
        assert self.post(node, f"login/{link}").status_code == httpx.codes.SEE_OTHER

    def get(self, node: int, path: str) -> httpx.Response:
        return self._clients[node].get(f"/ui/{path}", headers=self._headers())

    def post(self, node: int, path: str, given: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        headers = {**self._headers(), **(headers or ORIGIN)}
        answer = self._clients[node].post(f"/ui/{path}", data=given, headers=headers)
        if found := re.match("__Host-mailvane=([^;]*)", answer.headers.get("set-cookie", "")):
            self.cookie = found[1]
        return answer

    @contextmanager
    def ticks(self, node: int, version: str) -> Iterator[Iterator[str]]:
        """Lines of the stream that an open page listens to."""
        path = f"/ui/1/ticks?v={version}"
        with self._clients[node].stream("GET", path, headers=self._headers()) as stream:
            assert stream.status_code == httpx.codes.OK
            yield stream.iter_lines()

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _headers(self) -> dict[str, str]:
        return {"host": HOST} | ({"cookie": f"__Host-mailvane={self.cookie}"} if self.cookie else {})


@pytest.fixture
def owner(ledger: Ledger, nodes: Nodes) -> Iterator[Member]:
    made = Member(ledger, nodes, Role.OWNER)
    yield made
    made.close()


@pytest.fixture
def viewer(ledger: Ledger, nodes: Nodes) -> Iterator[Member]:
    made = Member(ledger, nodes, Role.VIEWER)
    yield made
    made.close()


def test_a_login_at_one_opens_pages_at_the_other_and_a_link_opens_once(owner: Member) -> None:
    link = owner.people.login_link(owner.name, now())
    assert owner.post(0, f"login/{link}").status_code == httpx.codes.SEE_OTHER
    for node in (0, 1):
        assert "ann@inbox.example" in owner.get(node, "1/log?q=since:2025-11-01").text
    assert owner.post(1, f"login/{link}").status_code == httpx.codes.FORBIDDEN
    assert owner.post(1, "account/password", {"password": "long enough 1", "again": "long enough 1"}).is_redirect
    owner.cookie = ""
    entered = {"name": owner.name, "password": "long enough 1"}
    assert owner.post(0, "login", entered).headers["location"] == "/ui/workspaces"
    before = owner.cookie
    assert owner.post(1, "prove", {"password": "long enough 1", "back": "/ui/account"}).is_redirect
    assert owner.cookie != before
    assert owner.get(0, "account").status_code == httpx.codes.OK
    owner.cookie = before  # what a proof at the other replaced
    assert owner.get(0, "account").headers["location"] == "/ui/login"


def hammer(member: Member, node: int, path: str, stop: Event, seen: list[tuple[float, int]]) -> None:
    """When each of many requests was begun, and its status."""
    while not stop.is_set():
        began = time.monotonic()
        seen.append((began, member.get(node, path).status_code))


@pytest.mark.parametrize("taken", ["session", "logout", "membership"])
def test_what_is_taken_at_one_opens_nothing_at_the_other_a_second_later(
    owner: Member, viewer: Member, taken: str
) -> None:
    """While the other is asked all the time, so that whatever it might remember is warm."""
    owner.log_in(0)
    viewer.log_in(1)
    stop, cookie = Event(), viewer.cookie
    seen: list[tuple[float, int]] = []
    with ThreadPoolExecutor(1) as threads:
        hammering = threads.submit(hammer, viewer, 1, "1/settings/members", stop, seen)
        try:
            wait_for(lambda: seen)
            if taken == "session":
                session = viewer.people.visitor(cookie, now()).session.id
                assert viewer.post(0, "account/sessions/end", {"session": session}).is_redirect
            elif taken == "logout":
                assert viewer.post(0, "logout").is_redirect
                viewer.cookie = cookie
            else:
                assert owner.post(0, "1/settings/members/remove", {"user": str(viewer.user.id)}).is_redirect
            told = time.monotonic()
            wait_for(lambda: not viewer.get(1, "1/settings/members").is_success)
        finally:
            stop.set()
        hammering.result()
    assert seen[0][1] == httpx.codes.OK
    assert (
        max(began - told for began, status in seen if status == httpx.codes.OK) < 1.0
    )  # counted from when a request was begun, so a slow machine does not matter


def test_a_role_that_is_taken_at_one_changes_nothing_at_the_other(owner: Member, viewer: Member) -> None:
    owner.log_in(0)
    viewer.people.set_role(1, viewer.name, Role.OWNER, now())
    viewer.log_in(1)
    assert viewer.post(1, "1/settings/relays", {"comment": "while it may"}).is_redirect
    assert owner.post(0, "1/settings/members", {"name": viewer.name, "role": "viewer"}).is_redirect
    assert viewer.post(1, "1/settings/relays", {"comment": "no longer"}).status_code == httpx.codes.FORBIDDEN
    assert "no longer" not in owner.get(1, "1/settings/relays").text


def test_a_form_counts_at_either_server_only_from_their_own_host(owner: Member) -> None:
    owner.log_in(0)
    given = {"q": "to:one.example", "name": f"v{uuid4().hex[:6]}", "for": "me"}
    for node in (0, 1):
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
            assert owner.post(node, "1/log/views", given, **headers).status_code == httpx.codes.FORBIDDEN
    assert owner.post(1, "1/log/views", given).is_redirect
    assert owner.post(0, "1/log/views", {**given, "name": "again"}, **{"sec-fetch-site": "same-origin"}).is_redirect


def test_a_view_that_is_saved_at_one_is_a_tab_at_the_other(owner: Member, viewer: Member) -> None:
    owner.log_in(0)
    viewer.log_in(1)
    given = {"q": "to:two.example", "for": "all", "name": f"Two {uuid4().hex[:6]}"}
    assert owner.post(0, "1/log/views", given).is_redirect
    assert given["name"] in viewer.get(1, "1/log").text
    found = re.search(rf'name="view" value="([^"]+)".*?Remove {given["name"]}', owner.get(1, "1/log?q=x").text)
    assert found is not None
    assert owner.post(1, "1/log/views/remove", {"q": "x", "for": "all", "view": found[1]}).is_redirect
    assert given["name"] not in viewer.get(0, "1/log").text


def test_a_decision_at_one_is_taken_back_at_the_other(owner: Member, ledger: Ledger) -> None:
    owner.log_in(0)
    at, name = now(), f"in-{uuid4().hex[:6]}.example"
    addresses(ledger.inbound, 1, name, at)
    held = [message(1, at + number, status=MessageStatus.QUARANTINED, content="ab" * 32) for number in range(3)]
    taken_in(ledger.inbound, 1, at, *held)
    for one in held:  # ten seconds may be over on a machine that is busy: then with the next
        assert owner.post(0, "1/inbound/quarantine/reject", {"message": one.id}).is_redirect
        seen = "will be denied" in owner.get(1, "1/inbound/quarantine").text
        assert owner.post(1, "1/inbound/quarantine/undo", {"message": one.id}).is_redirect
        found = ledger.inbound.messages.message(1, one.id)
        if seen and found is not None and found.status is MessageStatus.QUARANTINED:
            break
    else:
        raise AssertionError("it was never taken back")
    assert one.id not in {each.message for each in ledger.decisions.waiting(1)}


def happen(node: Installation, key: str, kind: str, recipient: str, at: int) -> None:
    """A mail of shop.example that came at `at` and of which this is told then, to that server."""
    event = {"relay": 1, "id": uuid4().hex, "type": kind, "mail": uuid4().hex, "recipient": recipient}
    event |= {"sender": "bob@shop.example", "time": at // 1000, "accepted_at": at // 1000}
    headers = {"X-API-KEY": key, "Content-Type": "application/x-ndjson"}
    answer = HTTP.post(f"{node.url}/mailvane/v1/events", content=json.dumps(event), headers=headers)
    assert answer.is_success, answer.text


def test_other_limits_are_tried_at_one_on_what_the_other_decided(owner: Member, nodes: Nodes, key: str) -> None:
    owner.log_in(0)
    nodes[0].run("domain", "create", "tried.example", "--workspace", "acme")
    headers = {"Authorization": f"Bearer {key}"}
    for node in (nodes[0], nodes[1], nodes[0]):
        answer = HTTP.post(f"{node.url}/domains/tried.example/outbound/increment", headers=headers)
        assert answer.json()["allowed"], answer.text
    told = nodes[0].answer("quota", "what-if", "--domain", "tried.example", "--daily", "1")
    assert told["asked"] == 3
    assert told["stopped"] >= 1  # 2, but where midnight came in between
    for number in (0, 1):
        page = text_of(owner.get(number, "1/domains/tried.example/what-if?daily=1").text)
        assert f"{told['stopped']} of 3 would have been stopped" in page


def test_a_draft_is_tried_at_one_on_mail_that_the_other_took(owner: Member, nodes: Nodes, key: str) -> None:
    owner.log_in(0)
    for hours in (30, 3):
        happen(nodes[0], key, "deferred", f"r{hours}@waits.example", now() - hours * HOUR_MS)
    rule = {"type": "MV_WAITING_MAIL", "by": "DESTINATION", "domains": ["waits.example"], "mails": 1}
    body = {"alert": {"name": "x", "rules": [rule]}}

    def tried(node: int) -> int:
        url = f"{nodes[node].url}/mailvane/v1/alerts/backtest"
        answer = HTTP.post(url, json=body, headers={"Authorization": f"Bearer {key}"})
        assert answer.is_success, answer.text
        return len(answer.json()["firings"])

    wait_for(lambda: tried(1))  # until what the other took is stored
    form = {f"rule.{name}": value for name, value in rule.items() if name != "type"}
    query = urlencode({"type": rule["type"], "name": "waits", **form}, doseq=True)
    for node in (0, 1):
        page = text_of(owner.get(node, f"1/alerts/new?{query}").text)
        assert f"fired {tried(node)} time" in page


def test_a_key_that_is_made_at_one_is_shown_once_and_opens_both_until_it_is_taken_back(
    owner: Member, nodes: Nodes
) -> None:
    owner.log_in(0)
    found = re.search(r'class="secret">([^<]+)<', owner.post(0, "1/settings/keys", {"act": "make", "days": ""}).text)
    assert found is not None
    secret = found[1]
    pages = [owner.get(node, "1/settings/keys").text for node in (0, 1)]
    assert [secret in page for page in pages] == [False, False]

    def statuses() -> list[int]:
        return [HTTP.get(f"{node.url}/mail/log?limit=1", headers={"X-API-KEY": secret}).status_code for node in nodes]

    assert statuses() == [200, 200]
    listed = re.findall(r'name="key" value="(\d+)"><button class="danger" aria-label="Take back key ([^"]+)"', pages[1])
    (number,) = [number for number, hint in listed if secret.startswith(hint)]
    assert owner.post(1, "1/settings/keys", {"act": "revoke", "key": number}).is_redirect
    wait_for(lambda: statuses() == [401, 401])


@pytest.mark.parametrize("topic", ["log", "domains"])
def test_an_open_page_of_one_hears_of_what_the_other_stored(owner: Member, nodes: Nodes, key: str, topic: str) -> None:
    owner.log_in(0)
    found = re.search(r"ticks\?v=([^\"]+)", owner.get(1, "1").text)
    assert found is not None
    with owner.ticks(1, found[1]) as lines:
        assert next(lines) == "retry: 1000"
        if topic == "log":
            happen(nodes[0], key, "delivered", "eve@live.example", now())
        else:
            assert owner.post(0, "1/domains/shop.example/stop").is_redirect
        assert f"event: {topic}" in lines
    if topic == "log":
        tail = owner.get(1, "1/log?q=to:live.example&live=1&part=rows").text
        assert "eve@live.example" in tail, "what it asks for when it hears of it"
    else:
        assert "shop.example is stopped" in owner.get(1, "1").text
        assert owner.post(1, "1/domains/shop.example/restore").is_redirect
        assert "shop.example is stopped" not in owner.get(0, "1").text


# The flows of a browser, on this pair of stores: what tells is what reads the mail log and what changes the ledger.
if CHROMIUM is not None:
    test_from_the_link_to_the_raw_line = flows.test_from_the_link_to_the_raw_line
    test_a_domain_is_stopped_and_let_send_again = flows.test_a_domain_is_stopped_and_let_send_again
    test_an_alert_is_written_tried_and_kept = flows.test_an_alert_is_written_tried_and_kept
    test_everything_works_with_scripts_off = flows.test_everything_works_with_scripts_off
    test_a_lost_mail_is_found = more_flows.test_a_lost_mail_is_found_by_its_recipient_and_by_its_queue_id
    test_an_alert_is_written_fires_and_tells = more_flows.test_an_alert_is_written_fires_and_tells
    test_held_mail_is_let_through_and_taken_back = more_flows.test_held_mail_is_let_through_and_taken_back
    test_a_line_comes_into_the_open_page = more_flows.test_a_line_of_a_followed_log_comes_into_the_open_page
