"""The door: keys in headers, the dialect's shape for everything that goes wrong, and no request uncounted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.web.gateway import presented
from tests.wire.world import World, opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(Path(tmp_path_factory.mktemp("door"))) as running:
        yield running


@pytest.mark.parametrize(
    ("headers", "token", "workspace"),
    [
        ({}, "", None),
        ({"x-api-key": "a"}, "a", None),
        ({"x-api-key": " a "}, "a", None),
        ({"authorization": "Bearer a"}, "a", None),
        ({"authorization": "bearer   a "}, "a", None),
        ({"authorization": "Basic a"}, "", None),
        ({"authorization": "Bearer"}, "", None),
        ({"authorization": "Bearer b", "x-api-key": "a"}, "a", None),
        ({"authorization": "Bearer b", "x-api-key": ""}, "b", None),
        ({"x-api-key": "a", "x-workspace-id": " 7 "}, "a", "7"),
        ({"x-api-key": "a", "x-workspace-id": ""}, "a", None),
    ],
)
def test_a_key_is_found_in_either_header(headers: dict[str, str], token: str, workspace: str | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert presented([(b"host", b"x"), *raw]) == (token, workspace)


def test_a_key_of_any_bytes_is_only_unknown() -> None:
    assert presented([(b"x-api-key", b"\xff\xfe\x01")])[0] == "ÿþ\x01"


def test_every_dialect_refuses_in_its_own_shape(world: World) -> None:
    assert world.client.get("/mail/x/y").json() == {"code": 401, "message": "API key is missing or invalid"}
    native = world.client.get("/mailvane/v1/x")
    assert native.headers["content-type"] == "application/problem+json"
    assert (native.json()["status"], native.json()["title"]) == (401, "Unauthorized")
    other = world.client.get("/nothing/here")
    assert (other.status_code, other.headers["content-type"]) == (404, "application/problem+json")


def test_options_are_answered_empty_everywhere(world: World) -> None:
    for path in ("/mail/log", "/mailvane/v1/events", "/healthz", "/nowhere"):
        answer = world.client.options(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_browser_may_ask_the_mailbaby_surface_and_no_other(world: World) -> None:
    assert world.client.options("/mail/log").headers["access-control-allow-origin"] == "*"
    assert "X-API-KEY" in world.client.options("/mail/log").headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in world.client.options("/mailvane/v1/events").headers


def test_head_is_get_without_the_body(world: World) -> None:
    got = world.client.get("/mail", headers=world.ours.headers)
    head = world.client.head("/mail", headers=world.ours.headers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert world.client.head("/mail").status_code == 401


def test_when_the_ledger_is_away_the_answer_is_a_503_in_shape(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the ledger does not answer")

    monkeypatch.setattr(world.services.tenancy, "authenticate", away)
    world.client.app.state.key_cache.forget()
    answer = world.client.get("/mail", headers=world.ours.headers)
    assert (answer.status_code, answer.json()) == (503, {"code": 503, "message": "the ledger does not answer"})
    assert answer.headers["retry-after"] == "5"


def test_a_failure_nobody_foresaw_is_a_500_in_shape_with_an_id_and_no_trace(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner secret")

    monkeypatch.setattr(world.maillog, "search", broken)
    answer = world.client.get("/mail/log", headers=world.ours.headers)
    assert (answer.status_code, set(answer.json())) == (500, {"code", "message"})
    assert "secret" not in answer.text
    assert answer.json()["message"].rpartition(" ")[2] in caplog.text
    assert "ZeroDivisionError: inner secret" in caplog.text


def test_every_answer_is_counted_under_its_route(world: World) -> None:
    world.client.get("/mail/1", headers=world.ours.headers)
    world.client.get("/mail/a-path/nobody/knows", headers=world.ours.headers)
    text = world.client.get("/metrics").text
    assert 'mailvane_http_requests_total{route="/mail/{order_id}",status="200",surface="mailbaby"}' in text
    assert 'mailvane_http_requests_total{route="unmatched",status="404",surface="mailbaby"}' in text
    assert "nobody" not in text
