"""The OpenAPI document of some rows: what each tells, and what any request of its dialect may meet."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from mailvane.web.description import described
from mailvane.web.dialect import Dialect, render_problem
from mailvane.web.endpoints import PLAIN, Endpoint, Parameter, Pool, RouteTable


class Thing(msgspec.Struct):
    """A body and an answer of one name."""

    name: str
    size: int | None = None


class No(msgspec.Struct):
    """A refusal."""

    why: str


def nothing(_services: object, _asked: object) -> None:
    return None


DIALECT = Dialect(
    "some", render_problem, prefixes=("/v1",), open_paths=frozenset({"/v1/open"}), refusals=frozenset({400, 401, 503}),
    refused=No, refusal_type="application/no",
)  # fmt: skip
TABLE = RouteTable(
    [
        Endpoint("put", "/x/{name:str}", "change_x", "Change it", nothing, Thing, Thing, 201, refusals=(409,)),
        Endpoint("delete", "/x/{name:str}", "remove_x", "Remove it", nothing, None),
        Endpoint("get", "/open", "open_x", "Words", nothing, str, pool=Pool.LOOP, answer_type=f"{PLAIN}; version=1"),
        Endpoint("get", "/list", "list_x", "All", nothing, list[Thing], query=(Parameter("limit", "How many."),)),
        Endpoint("get", "/hidden", "hidden", "Not told", nothing, str, is_described=False),
    ],
    object, DIALECT, ("Things",), "/v1",
)  # fmt: skip


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(described([TABLE]))
    return found


def test_every_row_is_told_but_those_that_are_not_described() -> None:
    told = {(path, method) for path, item in document()["paths"].items() for method in item}
    assert told == {("/v1/x/{name}", "put"), ("/v1/x/{name}", "delete"), ("/v1/open", "get"), ("/v1/list", "get")}


def test_an_operation_tells_what_its_row_says() -> None:
    told = document()["paths"]["/v1/x/{name}"]["put"]
    assert (told["operationId"], told["summary"], told["tags"]) == ("change_x", "Change it", ["Things"])
    assert told["requestBody"] == {
        "required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingBody"}}},
    }  # fmt: skip
    assert told["responses"].keys() == {"201", "400", "401", "409", "413", "503"}
    answer = told["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Thing"}
    refusal = told["responses"]["409"]["content"]
    assert refusal == {"application/no": {"schema": {"$ref": "#/components/schemas/No"}}}
    assert [each["name"] for each in told["parameters"]] == ["name", "X-Workspace-Id"]


def test_what_is_read_of_the_query_is_told() -> None:
    told = document()["paths"]["/v1/list"]["get"]["parameters"]
    assert [(each["name"], each["in"], each["required"]) for each in told if each["in"] == "query"] == [
        ("limit", "query", False)
    ]


def test_what_removes_tells_no_content_and_is_not_too_large() -> None:
    responses = document()["paths"]["/v1/x/{name}"]["delete"]["responses"]
    assert responses["204"] == {"description": "OK"}
    assert "413" not in responses


def test_an_open_route_needs_no_key_and_no_workspace() -> None:
    told = document()["paths"]["/v1/open"]["get"]
    assert (told["security"], told["parameters"]) == ([{}], [])
    assert told["responses"].keys() == {"200", "400", "500", "503"}
    assert told["responses"]["200"]["content"] == {"text/plain": {"schema": {"type": "string"}}}
    assert "security" not in document()["paths"]["/v1/list"]["get"]
