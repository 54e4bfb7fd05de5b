"""The OpenAPI document of the application: what the framework knows of the routes, and what only we know.

Handlers read bodies, queries and headers themselves, and refusals are made outside of them; all of that is added here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from mailvane import __version__
from mailvane.web.dialect import Dialect
from mailvane.web.endpoints import Bodies, Parameter, Parameters

_PLACEHOLDER = re.compile(r"{(\w+)}")
_EXAMPLES = {"name": "shop.example", "host": "bl.example.org", "source": "dmarc", "rule_type": "IP_IN_RBL"}
_WORKSPACE = Parameter(
    "X-Workspace-Id",
    "The workspace that a master or platform key acts on.",
    {"type": "integer", "minimum": 1},
    place="header",
)
_OF_ANY = (400, 500, 503)  # of what needs no key
_RETRY = {"Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}}

OPENAPI = OpenAPIConfig(
    title="Mailvane",
    version=__version__,
    description=(
        "The MailBaby mail API, the Emboux API, the EmailConsul alerts API, and Mailvane's own. "
        "A key goes into `X-API-KEY` or `Authorization: Bearer`."
    ),
    components=Components(
        security_schemes={
            "apiKeyAuth": SecurityScheme(type="apiKey", name="X-API-KEY", security_scheme_in="header"),
            "bearerAuth": SecurityScheme(type="http", scheme="bearer"),
        }
    ),
    security=[{"apiKeyAuth": []}, {"bearerAuth": []}],
    use_handler_docstrings=False,
)


def described(routers: Sequence[Router], bodies: Bodies, parameters: Parameters, dialects: Sequence[Dialect]) -> bytes:
    """The OpenAPI document of these routes, and of the bodies and parameters that they read themselves.

    The framework would serve it from pages of its own; a twin of the application that is only asked to describe itself
    has no pages.
    """
    twin = Litestar(route_handlers=[*routers], openapi_config=OPENAPI, logging_config=None)
    document = twin.openapi_schema.to_schema()
    models = [model for _, model in bodies.values()]
    schemas, components = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}Body")
    for ((method, path), (media_type, _)), schema in zip(bodies.items(), schemas, strict=True):
        document["paths"][path][method]["requestBody"] = {"required": True, "content": {media_type: {"schema": schema}}}
    for path, item in document["paths"].items():
        dialect = next((each for each in dialects if each.owns(path)), dialects[-1])
        for method, operation in item.items():
            _name_parameters(path, operation, dialect, parameters.get((method, path), ()))
            _name_refusals(operation, dialect.refusals if dialect.needs_key(path) else _OF_ANY)
    document["components"]["schemas"].update({f"{name}Body": schema for name, schema in components.items()})
    return msgspec.json.encode(document)


def _name_parameters(path: str, operation: dict[str, Any], dialect: Dialect, more: Sequence[Parameter]) -> None:
    """Those that a handler reads from the request itself, which the framework does not see."""
    told: list[dict[str, Any]] = operation.setdefault("parameters", [])
    known = {each["name"] for each in told if each["in"] == "path"}
    told += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACEHOLDER.findall(path)
        if name not in known
    ]
    told += [each.told() for each in more]
    if dialect.needs_key(path):
        told.append(_WORKSPACE.told())
    for each in told:
        if each["in"] == "path" and each["name"] in _EXAMPLES:
            each["example"] = _EXAMPLES[each["name"]]


def _name_refusals(operation: dict[str, Any], usual: Collection[int]) -> None:
    """Those that any request may meet, in the shape of the one that the route itself tells."""
    responses: dict[str, Any] = operation["responses"]
    shape = next(responses[status]["content"] for status in ("403", "401", "400") if status in responses)
    for status in {*usual, 413} if "requestBody" in operation else usual:
        # The framework tells a 400 of its own, in its own shape, where it reads something.
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": shape}
    responses["503"]["headers"] = _RETRY
