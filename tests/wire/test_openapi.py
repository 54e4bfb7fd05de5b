"""/openapi.json describes every route, and every reference in it leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from mailvane.maillog.mailbaby.parameters import PARAMETERS
from mailvane.server import api_page
from tests.wire.world import World

BODILESS = (
    "/call/{secret}",
    "/held-mail",
    "/redeliver",
    "/refresh",
    "/run",
    "/channels/{channel_id}/test",
    "/resend",
    "/rotate",
    "/approve",
    "/acknowledge",
    "/resolve",
    "/health",
    "/verify",
    "/increment",
    "/ses-verify",
    "/reset-daily",
    "/reset-monthly",
    "/suspend",
    "/activate",
)


@pytest.fixture(scope="module")
def document(shared_world: World) -> dict[str, Any]:
    answer = shared_world.client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])


def test_every_route_is_described(document: dict[str, Any], shared_world: World) -> None:
    served = {
        (route.path_format, method.lower())
        for route in shared_world.client.app.routes
        if isinstance(route, HTTPRoute)
        for method in route.route_handler_map
        if method != "OPTIONS"
    }
    described = {(path, method) for path, method, _ in operations(document)}
    files = {f"{api_page.PATH}{name}" for name in (*api_page.FILES, "/openapi.json") if name}
    assert described == served - {(path, "get") for path in {"/openapi.json", *files}}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_operation_ids_are_unique_and_every_operation_is_summed_up(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(
        operation["summary"] and {"200", "201", "204"} & set(operation["responses"])
        for _, _, operation in operations(document)
    )


def test_the_log_documents_every_name_it_reads(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/mail/log"]["get"]["parameters"]
    documented = [each for each in parameters if each["in"] == "query"]
    assert [each["name"] for each in documented] == [each.name for each in PARAMETERS]
    assert all(each["description"] and each["schema"] for each in documented)
    assert len(documented) == 18


def test_what_any_request_may_meet_is_told(document: dict[str, Any]) -> None:
    """The workspace that a key acts on, a refusal in the dialect's shape, and when to come again."""
    shapes = {
        "/mail": "ErrorMessage",
        "/api/v1.0/ips": "Refused",
        "/domains": "Detail",
        "/mailvane/v1/targets": "Problem",
    }
    for path, shape in shapes.items():
        operation = document["paths"][path]["get"]
        assert "X-Workspace-Id" in {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        told = operation["responses"]
        assert {"400", "500", "503"} <= told.keys()
        assert "Retry-After" in told["503"]["headers"]
        schemas = {status: next(iter(each["content"].values()))["schema"] for status, each in told.items()}
        refusals = {schema["$ref"].rpartition("/")[2] for status, schema in schemas.items() if status >= "400"}
        assert refusals == {shape}, path
    assert "413" in document["paths"]["/domains"]["post"]["responses"]
    assert not any(each["in"] == "header" for each in document["paths"]["/healthz"]["get"]["parameters"])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1.0/ips", {"offset", "limit", "sort", "ip", "profile_id"}),
        (
            "/api/v1.0/dmarc/rows",
            {"offset", "limit", "sort", "period_from", "period_to", "domain", "source_ip", "failing"},
        ),
        ("/mailvane/v1/dmarc/tls", {"since", "until", "domain", "offset", "limit", "failing"}),
        ("/mailvane/v1/billing/periods", {"limit"}),
    ],
)
def test_a_query_is_told(document: dict[str, Any], path: str, names: set[str]) -> None:
    told = document["paths"][path]["get"]["parameters"]
    assert {each["name"] for each in told if each["in"] == "query"} == names


def test_what_is_posted_is_described(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if method in {"post", "put"} and not path.endswith(BODILESS):
            assert operation["requestBody"]["content"], path
    event = document["components"]["schemas"]["NativeEventBody"]
    assert {"id", "type", "time", "recipient"} == set(event["required"])


def test_routes_with_a_key_say_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKeyAuth"] == {"type": "apiKey", "name": "X-API-KEY", "in": "header"}
    assert document["security"] == [{"apiKeyAuth": []}, {"bearerAuth": []}]
    free = {path for path, _, operation in operations(document) if operation.get("security") == [{}]}
    called = "/mailvane/v1/heartbeats/call/{secret}"
    assert free == {"/webhooks/ses", "/held-mail", "/ping", "/healthz", "/readyz", "/metrics", api_page.PATH, called}
