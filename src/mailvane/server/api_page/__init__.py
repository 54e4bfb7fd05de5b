"""The EmailConsul API for people: Swagger UI at the address that the vendor's guide links, with its anchors.

The files of Swagger UI lie beside this module; README.txt says which they are. Open to all, as the document is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from litestar import Request

from mailvane.maillog.services import MailLogServices
from mailvane.reputation.emailconsul.shape import DIALECT, PREFIX
from mailvane.web.endpoints import Endpoint, Pool, RouteTable

PATH = f"{PREFIX}/doc"
FILES: Mapping[str, str] = {
    "": "text/html",
    "/swagger-ui.css": "text/css",
    "/swagger-ui-bundle.js": "text/javascript",
    "/page.js": "text/javascript",
}
_PARAMETER = re.compile(r"{(\w+)}")


@cache
def file_content(name: str) -> bytes:
    """A file of the page; without a name the page itself."""
    lying = resources.files(__package__).joinpath(name.lstrip("/") or "page.html")
    return lying.read_bytes()


def anchored(document: bytes) -> dict[str, Any]:
    """The paths of the EmailConsul API in an OpenAPI document, with the tags and operations that its anchors name.

    The guide links `#/Alerts/get_alerts__id__log`: a tag for each first part of a path, and an operation by method and
    path, in which every sign that is no letter or digit is an underscore.
    """
    whole = msgspec.json.decode(document)
    paths = {}
    for path, methods in whole["paths"].items():
        if path.startswith(f"{PREFIX}/"):
            below = path.removeprefix(PREFIX)
            paths[path] = {method: told | _anchor(method, below) for method, told in methods.items()}
    return {**whole, "info": {**whole["info"], "description": _ABOUT}, "paths": paths}


_ABOUT = "Press Authorize and give a key (`mailvane key create`). docs/reference/rules.md tells of each rule type."


def _anchor(method: str, below: str) -> dict[str, Any]:
    named = _PARAMETER.sub(
        lambda found: "{id}" if found[1] in ("alert_id", "asset_id", "profile_id") else found[0], below
    )
    return {
        "tags": [below.split("/")[1].capitalize()],
        "operationId": method + re.sub(r"[^A-Za-z0-9]", "_", named),
    }


@cache
def _document_of(whole: bytes) -> bytes:
    return msgspec.json.encode(anchored(whole))


async def _document(_services: MailLogServices, request: Request[Any, Any, Any]) -> bytes:
    return _document_of(request.app.state.document())


def _file(name: str) -> Callable[..., Coroutine[Any, Any, bytes]]:
    async def answer(_services: MailLogServices, _request: Request[Any, Any, Any]) -> bytes:
        return file_content(name)

    return answer


def _rows() -> list[Endpoint]:
    files = [
        Endpoint(
            "get", f"/doc{name}", f"doc_{number}", "This API for people", _file(name), str, pool=Pool.LOOP,
            answer_type=media_type, is_described=not name,
        )
        for number, (name, media_type) in enumerate(FILES.items())
    ]  # fmt: skip
    told = Endpoint(
        "get", "/doc/openapi.json", "doc_openapi", "Its document", _document, dict[str, Any], pool=Pool.LOOP,
        is_described=False,
    )  # fmt: skip
    return [*files, told]


ROUTES = RouteTable(_rows(), MailLogServices, DIALECT, ("EmailConsul",), PREFIX)
