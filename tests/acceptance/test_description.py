"""A running server keeps to its own OpenAPI document, whoever asks: what can be asked by it, and what cannot.

What is sent comes from the document: the examples of every route, and of the boundaries of its parameters and body one
in eleven (all of them in a deep run). Each request is sent with the key of a workspace, and a part of them with every
other kind of key.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.described_tenant import Headers, Tenant, completed, settled
from tests.acceptance.installation import HTTP, Installation
from tests.depth import thinned
from tests.waiting import PATIENCE

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EVERY = 11  # of the boundaries of a route; there are some twelve thousand in all
ENGINE = "workspace"  # whose key the engine sends
# Which part of the requests is sent again with each other key; the first of each route always is.
SHARES = {
    "master": 8, "master of the workspace": 8, "platform": 16, "client": 16, "nobody": 32, "stranger": 32,
}  # fmt: skip
CONFIG = {
    "seed": 1,
    "generation": {"deterministic": True, "database": "none"},
    "continue-on-failure": True,
    "request-timeout": PATIENCE,
    "checks": {"enabled": False, **{each.__name__: {"enabled": True} for each in CHECKS}},
    "phases": {
        "examples": {"enabled": True, "fill-missing": True},
        "coverage": {"enabled": True, "unexpected-methods": []},
        "fuzzing": {"enabled": False},
        "stateful": {"enabled": False},
    },
}


@schemathesis.serializer("application/x-ndjson")
def one_line(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Whatever is generated is a line of its own."""
    return json.dumps(value).encode() + b"\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Tenant]]:
    directory = tmp_path_factory.mktemp("described")
    with contextlib.chdir(directory):  # a backup that is asked for goes there
        installation = Installation(directory / "data")
        (installation.data / "mailvane.toml").write_text('[reputation]\nresolvers = ["127.0.0.1:9"]\n')
        with installation.serving():
            yield installation, settled(installation)


SECRET_ADDRESS = "/heartbeats/call/"  # which opens by itself, without a key


class HttpClient:
    """Sends what was generated with the other keys, and keeps what was wrong."""

    def __init__(self, keys: Mapping[str, Headers]) -> None:
        self.wrong: dict[str, list[str]] = defaultdict(list)
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        self._keys = keys
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and passwords would be looked for again with each request

    def look(self, scenario: events.ScenarioFinished) -> None:
        """At what the engine sent for one route."""
        recorder = scenario.recorder
        for interaction in recorder.interactions.values():
            assert interaction.response is not None
            self.statuses[ENGINE][interaction.response.status_code] += 1
        for checks in recorder.checks.values():
            self.wrong[recorder.label] += [f"{ENGINE}: {each.failure_info}" for each in checks if each.failure_info]
        for count, case in enumerate(recorder.cases.values()):
            for name, headers in self._keys.items():
                if name != ENGINE and count % SHARES[name] == 0:
                    self._ask(case.value, name, headers)

    def _ask(self, case: schemathesis.Case[Any], name: str, headers: Headers) -> None:
        answer = case.call(session=self._session, headers=headers)
        if SECRET_ADDRESS not in case.operation.path:
            self.statuses[name][answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            self.wrong[case.operation.label] += [f"{name}: {failure}" for failure in failures.exceptions]


def bounded(schema: BaseSchema, monkeypatch: pytest.MonkeyPatch) -> BaseSchema:
    """The same, with fewer boundaries."""
    boundaries = schema.iter_coverage_cases

    def some(operation: Any, **options: Any) -> Iterator[schemathesis.Case[Any]]:
        return iter(thinned(boundaries(operation, **options), EVERY))

    monkeypatch.setattr(schema, "iter_coverage_cases", some)
    return schema


def test_every_answer_is_one_that_the_document_tells(
    place: tuple[Installation, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, tenant = place
    document = HTTP.get(f"{installation.url}/openapi.json").json()
    config = schemathesis.Config.from_dict({**CONFIG, "base-url": installation.url, "headers": tenant.keys[ENGINE]})
    schema = schemathesis.openapi.from_dict(completed(document, tenant), config=config)
    asking = HttpClient(tenant.keys)
    errors: list[Any] = []
    for event in from_schema(bounded(schema, monkeypatch)).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            errors.append(event)
        elif isinstance(event, events.ScenarioFinished):
            asking.look(event)
    assert not errors
    assert {200, 201, 204, 400, 404} <= asking.statuses[ENGINE].keys()
    assert asking.statuses["nobody"].keys() <= {200, 400, 401, 403}
    assert not {route: failures for route, failures in asking.wrong.items() if failures}
