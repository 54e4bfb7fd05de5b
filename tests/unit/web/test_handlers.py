"""How rows are served: on which thread, with what of the request, and in what bytes the reply goes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry

from mailvane.core.errors import NotAuthenticated
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.server.operations import Metrics
from mailvane.web.dialect import Dialect, render_problem
from mailvane.web.endpoints import PLAIN, Asked, Endpoint, Parameter, Pool, RouteTable
from mailvane.web.gateway import Gateway, render_error
from mailvane.web.handlers import handlers
from mailvane.web.thread_pools import ThreadPools
from tests.waiting import PATIENCE

NOW = 1_700_000_000_000
KEYS = {
    "workspace": Principal(KeyKind.WORKSPACE, 1, 7),
    "client": Principal(KeyKind.CLIENT, 1, 8),
    "master": Principal(KeyKind.MASTER, None),
}


class Services:
    """What the room of these tests hands in."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []


class Keys:
    """Who presents which key; counts how often it was told to forget."""

    def __init__(self) -> None:
        self.forgotten = 0

    async def principal(self, token: str, workspace: str | None) -> Principal:
        if token not in KEYS:
            raise NotAuthenticated
        return KEYS[token]

    def forget(self) -> None:
        self.forgotten += 1


def told(services: Services, asked: Asked) -> dict[str, Any]:
    services.asked.append(asked)
    return {"thread": threading.current_thread().name.partition("_")[0]}


async def on_loop(_services: Services, request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {"thread": threading.current_thread().name, "path": request.path_params["name"]}


async def in_words(_services: Services, _request: object) -> str:
    return "grüß Gott"


def row(method: str, path: str, **more: Any) -> Endpoint:
    fields: dict[str, Any] = {"function": told, "answer": dict[str, Any]} | more
    return Endpoint(method, path, f"{method} {path}", "", **fields)


@contextmanager
def served(
    *rows: Endpoint, clients: bool = False, last_counts: bool = False, clock: Callable[[], int] = lambda: NOW
) -> Iterator[tuple[TestClient[Any], Services, Keys]]:
    dialect = Dialect(
        "some", render_problem, prefixes=("/v1",), open_paths=frozenset({"/v1/open"}), last_counts=last_counts
    )
    services, keys, threads = Services(), Keys(), ThreadPools()
    table = RouteTable(rows, Services, dialect, (), "/v1", clients=clients)
    state = {"services": {Services: services}, "clock": clock, "threads": threads, "key_cache": keys}
    app = Litestar(
        route_handlers=handlers([table]),
        exception_handlers={Exception: render_error},
        openapi_config=None,
        on_shutdown=[threads.close],
        state=State(state),
    )
    observe = Metrics(CollectorRegistry()).observe
    app.asgi_handler = Gateway(app.asgi_handler, [dialect], keys, observe)  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["X-API-KEY"] = "workspace"
        yield client, services, keys


@pytest.mark.parametrize(
    ("pool", "thread"),
    [
        (Pool.LEDGER, "ledger"),
        (Pool.LENGTHY, "lengthy"),
        (Pool.MAIL_LOG, "maillog"),
        (Pool.OUTSIDE, "outside"),
        (Pool.UPKEEP, "upkeep"),
    ],
)
def test_a_function_runs_where_its_row_says(pool: Pool, thread: str) -> None:
    with served(row("post", "/x", pool=pool)) as (client, _, _):
        answer = client.post("/v1/x")
    assert answer.json() == {"thread": thread}
    length = str(len(answer.content))
    assert answer.headers.multi_items() == [("content-type", "application/json"), ("content-length", length)]


def test_a_function_on_the_loop_takes_the_request() -> None:
    with served(row("get", "/x/{name:str}", function=on_loop, pool=Pool.LOOP)) as (client, _, _):
        answer = client.get("/v1/x/shop").json()
    assert answer["path"] == "shop"
    assert answer["thread"].partition("_")[0] not in {"quick", "ledger", "lengthy", "maillog", "outside", "upkeep"}


def test_a_function_sees_what_its_row_names() -> None:
    named = (Parameter("limit", ""), Parameter("Idempotency-Key", "", place="header"))
    with served(row("put", "/x/{name:str}", query=named)) as (client, services, _):
        client.put("/v1/x/shop?limit=1&limit=2&other=3", content=b"{}", headers={"idempotency-key": "k", "other": "o"})
        client.put("/v1/x/shop")
    first, second = services.asked
    assert (first.path, first.query, first.headers) == ({"name": "shop"}, {"limit": "1"}, {"Idempotency-Key": "k"})
    assert (first.body, first.now, first.workspace, first.by) == (b"{}", NOW, 1, "key 7")
    assert (second.query, second.headers, second.body) == ({}, {}, b"")


def test_a_dialect_says_which_of_a_repeated_name_counts() -> None:
    with served(row("get", "/x", query=(Parameter("limit", ""),)), last_counts=True) as (client, services, _):
        client.get("/v1/x?limit=1&limit=2")
    assert services.asked[0].query == {"limit": "2"}


def test_what_removes_answers_without_content() -> None:
    with served(row("delete", "/x", answer=None)) as (client, _, _):
        answer = client.delete("/v1/x")
    assert (answer.status_code, answer.content, answer.headers.multi_items()) == (204, b"", [])


def test_words_are_sent_as_text() -> None:
    with served(row("get", "/open", function=in_words, pool=Pool.LOOP, answer_type=PLAIN)) as (client, _, _):
        answer = client.get("/v1/open", headers={"X-API-KEY": ""})
    assert (answer.text, answer.headers["content-type"]) == ("grüß Gott", "text/plain; charset=utf-8")


def test_an_open_route_is_asked_by_nobody() -> None:
    with served(row("post", "/open")) as (client, services, _):
        assert client.post("/v1/open", headers={"X-API-KEY": ""}).status_code == 200
    with pytest.raises(NotAuthenticated):
        _ = services.asked[0].principal


@pytest.mark.parametrize(("clients", "status"), [(False, 403), (True, 200)])
def test_a_table_says_whether_clients_are_heard(clients: bool, status: int) -> None:
    with served(row("get", "/x"), clients=clients) as (client, services, _):
        assert client.get("/v1/x", headers={"X-API-KEY": "client"}).status_code == status
    assert len(services.asked) == clients


def test_keys_are_forgotten_when_one_was_changed_and_not_when_that_failed() -> None:
    def refuse(_services: Services, asked: Asked) -> None:
        _ = asked.workspace

    with served(row("put", "/x", forgets_keys=True), row("put", "/y", forgets_keys=True, function=refuse)) as (
        client, _, keys,
    ):  # fmt: skip
        assert client.put("/v1/y", headers={"X-API-KEY": "master"}).status_code == 400
        assert keys.forgotten == 0
        client.put("/v1/x")
    assert keys.forgotten == 1


def test_equal_questions_that_are_under_way_are_asked_once() -> None:
    """Equal is what the row names; what else stands in the query makes no difference."""
    going_on, arrived, calls = threading.Event(), threading.Semaphore(0), []

    def slow(_services: Services, asked: Asked) -> int:
        calls.append(asked.query)
        going_on.wait(PATIENCE)
        return 1

    def clock() -> int:
        arrived.release()
        return NOW

    question = row("get", "/x", function=slow, pool=Pool.MAIL_LOG, query=(Parameter("time", ""),))
    loop = row("get", "/open", function=in_words, pool=Pool.LOOP, answer_type=PLAIN)
    with served(question, loop, clock=clock) as (client, _, _), ThreadPoolExecutor(3) as asking:
        answers = [asking.submit(client.get, f"/v1/x?time=1h&unknown={number}") for number in range(3)]
        assert all(arrived.acquire(timeout=PATIENCE) for _ in answers)
        client.get("/v1/open")  # the loop has turned since the last of them came
        going_on.set()
        assert [answer.result(PATIENCE).json() for answer in answers] == [1, 1, 1]
    assert calls == [{"time": "1h"}]


def test_a_body_that_is_too_large_is_not_read() -> None:
    with served(row("post", "/x", largest=10)) as (client, services, _):
        assert client.post("/v1/x", content=b"x" * 11).status_code == 413
    assert not services.asked


def test_the_raw_value_of_a_reply_is_sent_as_it_is() -> None:
    async def ready(_services: Services, _request: object) -> msgspec.Raw:
        return msgspec.Raw(b'{"a": 1}')

    with served(row("get", "/x", function=ready, pool=Pool.LOOP)) as (client, _, _):
        assert client.get("/v1/x").content == b'{"a": 1}'
