"""The OpenAPI document of the application, made from the rows of its tables.

It tells of each route what its row says, and what any request of the dialect may meet before a row is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from mailvane import __version__
from mailvane.web.endpoints import Endpoint, Parameter, RouteTable

Schema = Mapping[str, Any]

_PLACEHOLDER = re.compile(r"{(\w+)}")
_EXAMPLES = {"name": "shop.example", "host": "bl.example.org", "source": "dmarc", "rule_type": "IP_IN_RBL"}
_WORKSPACE = Parameter(
    "X-Workspace-Id",
    "The workspace that a master or platform key acts on.",
    {"type": "integer", "minimum": 1},
    place="header",
)
_OF_ANY = frozenset({400, 500, 503})  # statuses that a request may meet which needs no key
_TOO_LARGE = 413
_RETRY = {"Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}}
_DOCUMENT = {
    "info": {
        "title": "Mailvane",
        "version": __version__,
        "description": (
            "The MailBaby mail API, the Emboux API, the Cleanbox API, the SendKit analytics API, the EmailConsul "
            "alerts API, and Mailvane's own. "
            "A key goes into `X-API-KEY` or `Authorization: Bearer`."
        ),
    },
    "openapi": "3.1.0",
    "servers": [{"url": "/"}],
    "security": [{"apiKeyAuth": []}, {"bearerAuth": []}],
}
_KEYS = {
    "apiKeyAuth": {"type": "apiKey", "name": "X-API-KEY", "in": "header"},
    "bearerAuth": {"type": "http", "scheme": "bearer"},
}


class Models:
    """The schemas of what the rows answer and read. A suffix tells readers from answers of the same name."""

    def __init__(self, rows: Iterable[Endpoint], refused: Iterable[Any]) -> None:
        listed = [*rows]
        answers, bodies = (
            [*(row.answer for row in listed), *refused],
            [row.body for row in listed if row.body is not None],
        )
        schemas, self._answers = msgspec.json.schema_components(answers, ref_template="#/components/schemas/{name}")
        self._by_answer = dict(zip(map(_key, answers), schemas, strict=True))
        schemas, self._bodies = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}Body")
        self._by_body = dict(zip(map(_key, bodies), schemas, strict=True))

    @property
    def components(self) -> dict[str, Any]:
        return {**self._answers, **{f"{name}Body": schema for name, schema in self._bodies.items()}}

    def of_answer(self, model: Any) -> Schema:
        return self._by_answer[_key(model)]

    def of_body(self, model: Any) -> Schema:
        return self._by_body[_key(model)]


def described(tables: Sequence[RouteTable]) -> bytes:
    """The OpenAPI document of these tables."""
    models = Models((row for table in tables for row in table.rows), (table.dialect.refused for table in tables))
    paths: dict[str, dict[str, Any]] = {}
    for table in tables:
        for row in table.rows:
            if row.is_described:
                path = table.path(row).replace(":str}", "}")
                paths.setdefault(path, {})[row.method] = _operation(path, row, table, models)
    components = {"schemas": models.components, "securitySchemes": _KEYS}
    return msgspec.json.encode({**_DOCUMENT, "paths": paths, "components": components})


def _operation(path: str, row: Endpoint, table: RouteTable, models: Models) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": table.tags,
        "summary": row.summary,
        "operationId": row.name,
        "parameters": _parameters(path, row, table),
        "responses": _responses(row, table, models),
    }
    if table.is_open(row):
        operation["security"] = [{}]
    if row.body is not None:
        content = {row.media_type: {"schema": models.of_body(row.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(path: str, row: Endpoint, table: RouteTable) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in _PLACEHOLDER.findall(path):
        of_path = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        parameters.append(of_path | ({"example": _EXAMPLES[name]} if name in _EXAMPLES else {}))
    more = row.query if table.is_open(row) else (*row.query, _WORKSPACE)
    return parameters + [each.described() for each in more]


def _responses(row: Endpoint, table: RouteTable, models: Models) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "OK"}
    if row.answer is not None:
        success["content"] = {row.answer_type.partition(";")[0]: {"schema": models.of_answer(row.answer)}}
    content = {table.dialect.refusal_type: {"schema": models.of_answer(table.dialect.refused)}}
    statuses = {*row.refusals, *(_OF_ANY if table.is_open(row) else table.dialect.refusals)}
    if row.body is not None:
        statuses.add(_TOO_LARGE)
    refused = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in sorted(statuses)
    }
    refused["503"] = {**refused["503"], "headers": _RETRY}
    return {str(row.success): success, **refused}


def _key(model: Any) -> str:
    """Models need not be hashable."""
    return repr(model)
