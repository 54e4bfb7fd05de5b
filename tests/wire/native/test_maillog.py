"""The mail log over HTTP, asked through the client that the command line uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from mailvane.core.errors import (
    InvalidInput,
    MailvaneError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ServerUnreachable,
    StoreUnavailable,
)
from mailvane.core.json_exchange import Answer
from mailvane.core.tenants.model import KeyKind
from mailvane.maillog.model import EventBatch, MailKey, MailKind
from mailvane.maillog.queries import HourlyQuestion, LogQuestion, StatisticsQuestion
from mailvane.maillog.remote import RemoteMailLog
from tests.wire.world import ACCEPTED_AT, MASTER, NOW, NUMBER, World, populate


def remote(world: World, token: str = MASTER) -> RemoteMailLog:
    """Hands its questions to the application under test."""

    def exchange(path: str, body: bytes, headers: Mapping[str, str], seconds: float | None) -> Answer:
        assert seconds is None or seconds > 0
        answer = world.client.post(path, content=body, headers={"Content-Type": "application/json", **headers})
        return Answer(answer.status_code, answer.content)

    return RemoteMailLog("http://server.example", token, exchange)


@pytest.fixture
def asked(world: World) -> Iterator[RemoteMailLog]:
    populate(world)
    with remote(world) as client:
        yield client


def test_every_question_gets_the_same_answer_as_at_home(world: World, asked: RemoteMailLog) -> None:
    where = {"workspace": world.ours.workspace.id, "relays": (world.ours.relay.id,)}
    search = LogQuestion(**where, delivered=False, kinds=(MailKind.MAIL, MailKind.PROBE), limit=2)  # type: ignore[arg-type]
    assert asked.search(search) == world.maillog.search(search)
    assert world.maillog.questions[-1] == world.maillog.questions[-2] == search
    statistics = StatisticsQuestion(**where, since=1, top=3)  # type: ignore[arg-type]
    assert asked.statistics(statistics) == world.maillog.statistics(statistics)
    assert asked.statistics_of([statistics] * 2) == [world.maillog.statistics(statistics)] * 2
    hourly = HourlyQuestion(**where, since=0, until=NOW)  # type: ignore[arg-type]
    assert asked.hourly(hourly) == world.maillog.hourly(hourly)
    mail = MailKey(world.ours.relay.id, ACCEPTED_AT, NUMBER)
    assert len(asked.mail_events(world.ours.workspace.id, mail)) == 4
    assert asked.mail_events(world.ours.workspace.id, mail) == world.maillog.mail_events(world.ours.workspace.id, mail)
    assert asked.health() == world.maillog.health()


def test_workspaces_and_relays_are_those_of_the_ledger(world: World, asked: RemoteMailLog) -> None:
    tenancy, ours = world.services.tenancy, world.ours.workspace
    assert asked.workspaces() == tenancy.workspaces()
    assert asked.workspace(ours.name) == ours
    assert asked.relays(ours.id) == tenancy.relays(ours.id) != []
    with pytest.raises(NotFound, match="no workspace named 'nobody'"):
        asked.workspace("nobody")


def test_upkeep_and_retention_reach_the_mail_log(world: World, asked: RemoteMailLog, tmp_path: Path) -> None:
    asked.rebuild()
    asked.backup(tmp_path)
    asked.retain(1, 30)
    assert world.maillog.upkeeps == [("rebuild", None), ("backup", tmp_path)]
    assert world.maillog.retentions == [(1, 30)]


def test_a_key_of_one_workspace_asks_about_that_one_only(world: World) -> None:
    populate(world)
    relays = (world.ours.relay.id, world.theirs.relay.id)
    client = remote(world, world.ours.token)
    assert client.search(LogQuestion(workspace=world.ours.workspace.id, relays=relays)).total == 4
    theirs = world.theirs.workspace.id
    with pytest.raises(NotFound):
        client.search(LogQuestion(workspace=theirs, relays=relays))
    with pytest.raises(NotFound):
        client.statistics(StatisticsQuestion(workspace=theirs, relays=relays))
    with pytest.raises(NotFound):
        client.hourly(HourlyQuestion(workspace=theirs, relays=relays, since=0, until=NOW))
    with pytest.raises(NotFound):
        client.mail_events(theirs, MailKey(world.theirs.relay.id, ACCEPTED_AT, NUMBER))


@pytest.mark.parametrize("kind", [KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.CLIENT])
def test_only_the_master_looks_after_the_store(world: World, kind: KeyKind) -> None:
    workspace = None if kind is KeyKind.PLATFORM else world.ours.workspace.id
    client = remote(world, world.services.tenancy.create_key(kind, workspace, NOW).token)
    with pytest.raises(NotAllowed):
        client.retain(world.ours.workspace.id, 1)
    with pytest.raises(NotAllowed):
        client.rebuild()
    with pytest.raises(NotAllowed):
        client.health()
    with pytest.raises(NotAllowed):
        client.workspaces()
    with pytest.raises(NotAllowed):
        client.relays(world.ours.workspace.id)
    assert (world.maillog.upkeeps, world.maillog.retentions) == ([], [])


def test_a_client_key_reads_no_log(world: World) -> None:
    client = remote(world, world.services.tenancy.create_key(KeyKind.CLIENT, world.ours.workspace.id, NOW).token)
    with pytest.raises(NotAllowed):
        client.search(LogQuestion(workspace=world.ours.workspace.id, relays=(1,)))


def test_bad_questions_are_refused(world: World, asked: RemoteMailLog) -> None:
    where = {"workspace": 1, "relays": (1,)}
    for question in (
        {"limit": 10_001},
        {"limit": -1},
        {"skip": -1},
        {"skip": 2**31},
        {"since": 2**60},
        {"relays": (-1,)},
    ):
        with pytest.raises(InvalidInput):
            asked.search(LogQuestion(**(where | question)))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        asked.statistics(StatisticsQuestion(**where, top=-1))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        asked.search(LogQuestion(workspace=2**32, relays=(1,)))
    for days in (-1, 100_000):
        with pytest.raises(InvalidInput):
            asked.retain(1, days)
    for task, told in (("destroy", "task"), ("backup", "directory"), ("restore", "directory")):
        answer = world.client.post("/mailvane/v1/maillog/upkeep", json={"task": task}, headers={"X-API-KEY": MASTER})
        assert (answer.status_code, told in answer.json()["detail"]) == (400, True)
    for body in (b"", b"[]", b'{"x": ' + b"[" * 50_000, b"\xff", b'{"workspace": "1", "relays": [1]}'):
        answer = world.client.post("/mailvane/v1/maillog/search", content=body, headers={"X-API-KEY": MASTER})
        assert answer.status_code == 400


def test_an_unknown_key_is_told_so(world: World) -> None:
    with pytest.raises(NotAuthenticated):
        remote(world, "sk_unknown").health()


def test_events_are_not_stored_this_way(world: World) -> None:
    with pytest.raises(NotAllowed):
        remote(world).append(EventBatch("token", 1, 0, []))


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(ServerUnreachable, match=r"the server at http://127\.0\.0\.1:1 does not answer: .*refused"):
        RemoteMailLog("http://127.0.0.1:1", MASTER).health()


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (503, b'{"detail": "away"}', StoreUnavailable, "away"),
        (500, b'{"detail": "unexpected failure, id 7"}', MailvaneError, "id 7"),
        (502, b"<html>", MailvaneError, "502"),
        (200, b'{"engine": 1}', MailvaneError, "another version"),
    ],
)
def test_what_a_server_answers_becomes_the_exception(
    status: int, body: bytes, error: type[MailvaneError], text: str
) -> None:
    with pytest.raises(error, match=text):
        RemoteMailLog("http://server.example", MASTER, lambda *_: Answer(status, body)).health()


def _found(world: World, path: str, token: str = "", **query: str) -> httpx.Response:
    return world.client.get(
        f"/mailvane/v1/maillog/{path}", params=query, headers={"X-API-KEY": token or world.ours.token}
    )


def test_a_query_is_asked_over_http(world: World) -> None:
    populate(world)
    answer = _found(world, "search", q="-is:delivered since:3000d", limit="2", offset="1")
    assert answer.status_code == 200, answer.text
    asked = world.maillog.questions[-1]
    relays = tuple(relay.id for relay in world.services.tenancy.relays(world.ours.workspace.id))
    assert (asked.workspace, asked.relays, asked.skip, asked.limit) == (world.ours.workspace.id, relays, 1, 2)
    assert [(term.field, term.excludes) for term in asked.terms] == [("is", True)]
    assert asked.since == NOW - 3000 * 86_400_000
    assert all(len(row["mail_id"]) == 18 and "status" in row for row in answer.json()["deliveries"])
    assert _found(world, "search").status_code == 200
    assert world.maillog.questions[-1].since == NOW - 7 * 86_400_000, "the last seven days, where no time is said"
    told = _found(world, "refused", q="to:x.example")
    assert (told.status_code, set(told.json())) == (200, {"total", "refused"})
    assert _found(world, "refused", q="is:refused to:x.example").json() == told.json()


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("search", 'subject:"order 5', "a quote is not closed (at character 9)"),
        ("refused", 'subject:"order 5', "a quote is not closed (at character 9)"),
        ("search", "to:a -is:lost", "(at character 6)"),
        ("search", "is:refused", "/mailvane/v1/maillog/refused"),
        ("refused", "a is:bounced", "(at character 3)"),
        ("refused", "mx:google.com", "(at character 1)"),
        ("search", "relay:9", "names no relay"),
        ("search", "x" * 2001, "at most 2000 characters"),
    ],
)
def test_what_a_query_cannot_say_is_told_with_its_place(world: World, path: str, query: str, says: str) -> None:
    answer = _found(world, path, q=query)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert says in answer.json()["detail"]


def test_a_query_reads_the_mail_of_its_key_only(world: World) -> None:
    populate(world)
    own, theirs = (
        _found(world, "search", q="since:3000d"),
        _found(world, "search", world.theirs.token, q="since:3000d"),
    )
    assert own.json()["total"] > 0
    assert own.json() != theirs.json()
    assert _found(world, "search", MASTER, q="").status_code == 400, "a master names the workspace"
    client = world.services.tenancy.create_key(KeyKind.CLIENT, world.ours.workspace.id, NOW).token
    assert [_found(world, path, client, q="").status_code for path in ("search", "refused")] == [403, 403]
    assert _found(world, "search", q="", limit="10001").status_code == 400
