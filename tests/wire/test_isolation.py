"""No route shows one workspace's mail to another. Routes are read from the application, so a new one is judged too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar.routes import HTTPRoute

from mailvane.domain.history import HourlyQuestion, LogQuestion, StatisticsQuestion
from mailvane.domain.mail import MailKey
from mailvane.domain.tenancy import KeyKind
from mailvane.surfaces.http.native.maillog import LifeQuestion, Retention, Upkeep
from tests.wire.world import ACCEPTED_AT, MAIL_ID, MASTER, NOW, NUMBER, World, opened, populate

SECRETS = ("secret@theirs.example", "boss@theirs.example", "relay of theirs", "theirs")
OPEN = {"/ping", "/healthz", "/readyz", "/metrics", "/openapi.json"}
MASTERS_ONLY = {f"/mailvane/v1/maillog/{name}" for name in ("health", "retain", "upkeep")}

Request = tuple[str, str]


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    populate(shared_world)
    return shared_world


def routes(world: World) -> Iterator[Request]:
    for route in world.client.app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: say here how its isolation is judged"
        for method in sorted(route.route_handler_map):
            if method != "OPTIONS":
                yield method, route.path_format


def bodies(world: World, workspace: int) -> dict[str, Any]:
    relays = (world.ours.relay.id, world.theirs.relay.id)
    told = {"id": "stolen", "type": "accepted", "time": 1, "mail": "q", "recipient": "a@b.example"}
    return {
        "/mailvane/v1/events": told | {"relay": world.theirs.relay.id},
        "/mailvane/v1/maillog/search": LogQuestion(workspace=workspace, relays=relays),
        "/mailvane/v1/maillog/statistics": StatisticsQuestion(workspace=workspace, relays=relays),
        "/mailvane/v1/maillog/hourly": HourlyQuestion(workspace=workspace, relays=relays, since=0, until=NOW),
        "/mailvane/v1/maillog/life": LifeQuestion(workspace, MailKey(world.theirs.relay.id, ACCEPTED_AT, NUMBER)),
        "/mailvane/v1/maillog/health": {},
        "/mailvane/v1/maillog/retain": Retention(workspace, 1),
        "/mailvane/v1/maillog/upkeep": Upkeep("rebuild"),
    }


def asked(world: World, request: Request, key: str | None, **more: Any) -> httpx.Response:
    method, path = request
    headers = {"X-API-KEY": key} if key is not None else {}
    workspace = more.pop("workspace", world.theirs.workspace.id)
    body = msgspec.json.encode(bodies(world, workspace).get(path, {})) if method == "POST" else None
    filled = path.replace("{order_id}", str(world.theirs.relay.id))
    return world.client.request(
        method, filled, headers=headers | more.pop("headers", {}), content=body, params=more.pop("params", None)
    )


def leaked(answer: httpx.Response) -> list[str]:
    return [secret for secret in SECRETS if secret in answer.text or secret in str(answer.headers)]


PROBES: tuple[dict[str, str], ...] = (
    {},
    {"id": "2"},
    {"mailid": MAIL_ID},
    {"to": "secret@theirs.example"},
    {"from": "boss@theirs.example"},
    {"time": "all", "groupby": "message"},
)


@pytest.mark.parametrize("params", PROBES, ids=str)
def test_a_key_of_another_workspace_sees_nothing_of_theirs(world: World, params: dict[str, str]) -> None:
    for request in routes(world):
        for headers in ({}, {"X-Workspace-Id": str(world.theirs.workspace.id)}):
            answer = asked(world, request, world.ours.token, params=params, headers=headers)
            assert answer.status_code < 500, request
            assert leaked(answer) == [], request


def test_asking_for_ones_own_workspace_with_their_relay_finds_nothing_of_theirs(world: World) -> None:
    for request in routes(world):
        answer = asked(world, request, world.ours.token, workspace=world.ours.workspace.id)
        assert leaked(answer) == [], request


def test_the_owner_does_see_it(world: World) -> None:
    seen = {request[1] for request in routes(world) if leaked(asked(world, request, world.theirs.token))}
    assert seen == {
        "/mail",
        "/mail/{order_id}",
        "/mail/log",
        "/mail/stats",
        "/mailvane/v1/maillog/life",
        "/mailvane/v1/maillog/search",
        "/mailvane/v1/maillog/statistics",
    }


@pytest.mark.parametrize("key", [None, "", "sk_unknown", MASTER[:-1], MASTER + "x"])
def test_every_other_route_asks_for_a_key(world: World, key: str | None) -> None:
    for request in routes(world):
        status = asked(world, request, key).status_code
        assert (status == 401) != (request[1] in OPEN), request


@pytest.mark.parametrize("kind", [KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.CLIENT])
def test_what_moves_the_whole_store_is_the_masters(world: World, kind: KeyKind) -> None:
    workspace = None if kind is KeyKind.PLATFORM else world.ours.workspace.id
    key = world.services.tenancy.create_key(kind, workspace, NOW).token
    for request in routes(world):
        if request[1] in MASTERS_ONLY:
            assert asked(world, request, key).status_code == 403, request


def test_a_client_key_reads_and_writes_no_mail(world: World) -> None:
    key = world.services.tenancy.create_key(KeyKind.CLIENT, world.theirs.workspace.id, NOW).token
    for request in routes(world):
        if request[1] not in OPEN:
            assert asked(world, request, key).status_code in {401, 403}, request


def test_an_order_of_another_workspace_looks_like_one_that_does_not_exist(world: World) -> None:
    headers = world.ours.headers
    theirs = world.client.get(f"/mail/{world.theirs.relay.id}", headers=headers)
    nobodys = world.client.get("/mail/999999", headers=headers)
    assert (theirs.status_code, theirs.json()) == (nobodys.status_code, nobodys.json())


def test_paths_written_oddly_need_the_key_too(world: World) -> None:
    for path in ("/mail/", "/mail//log", "/mail/log/", "/mail%2Flog", "/%6dail/log", "/mailvane/v1//maillog/search"):
        answer = world.client.get(path)
        assert answer.status_code in {401, 404}, path
        assert leaked(answer) == []


def test_a_stolen_event_changes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory.mktemp("own")) as world:
        for request in routes(world):
            asked(world, request, world.ours.token)
        world.services.recorder.drain()
        assert json.dumps(sorted(world.maillog._events)) == "[]"
