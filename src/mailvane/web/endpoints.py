"""Routes as rows of a table: each says what is asked for, and which blocking function of a room answers.

A function gets what was asked as a value, and gives its reply as a value. It knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from litestar.handlers import HTTPRouteHandler, delete, get, patch, post, put
from litestar.openapi.datastructures import ResponseSpec

from mailvane.core.errors import InvalidInput, NotAllowed
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.web.door import principal_of
from mailvane.web.services import clock_of, services_of, threads_of
from mailvane.web.wanted import Wanted, while_wanted

JSON = "application/json"
_METHODS = {"get": get, "post": post, "put": put, "patch": patch, "delete": delete}
_NO_CONTENT = 204
_USUAL_STATUS = {"delete": _NO_CONTENT}
_USUAL_BODY = 64 * 1024


TEXT: Mapping[str, Any] = {"type": "string"}


@dataclass(frozen=True)
class Parameter:
    """Something of the query, or a header, that a function reads."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: TEXT)
    required: bool = False
    place: str = "query"

    def told(self) -> dict[str, Any]:
        """As the OpenAPI document has it."""
        return {
            "name": self.name,
            "in": self.place,
            "description": self.description,
            "required": self.required,
            "schema": dict(self.schema),
        }


Bodies = Mapping[tuple[str, str], tuple[str, Any]]  # of method and path: media type and model
Parameters = Mapping[tuple[str, str], Sequence[Parameter]]  # of method and path


@dataclass(frozen=True)
class Asked:
    """A request, as far as a function may look at it."""

    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, str]  # what the row names, and nothing else
    body: bytes
    now: int
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def workspace(self) -> int:
        """Raises InvalidInput when the key opens several and none was named."""
        if self.principal.workspace is None:
            raise InvalidInput("name the workspace in the X-Workspace-Id header")
        return self.principal.workspace

    @property
    def by(self) -> str:
        """Who, for what is written down of it."""
        return "master token" if self.principal.kind is KeyKind.MASTER else f"key {self.principal.key}"


Function = Callable[[Any, Asked], object]  # the first is the services value of the room


@dataclass(frozen=True)
class Endpoint:
    """A row."""

    method: str
    path: str
    name: str  # unique in the whole application
    summary: str
    function: Function
    answer: Any  # model of what is answered; None: nothing
    body: Any = None  # model of what is read
    status: int = 0  # of success; 0: 200, or 204 for what removes
    media_type: str = JSON  # of the body
    largest: int = _USUAL_BODY
    lengthy: bool = False  # may take many seconds, and must not keep keys from being looked up
    query: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()  # statuses beyond those that any request of its dialect may meet

    @property
    def success(self) -> int:
        return self.status or _USUAL_STATUS.get(self.method, 200)


def handlers(
    endpoints: Iterable[Endpoint], services: type[Any], refused: Any, media_type: str = JSON
) -> list[HTTPRouteHandler]:
    """What the framework serves. `services` is what the functions take; `refused` models a refusal in this dialect."""
    return [_handler(each, services, refused, media_type) for each in endpoints]


def bodies(endpoints: Iterable[Endpoint], prefix: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """What each route reads, for the description of the whole."""
    return {
        (each.method, prefix + each.path.replace(":str}", "}")): (each.media_type, each.body)
        for each in endpoints
        if each.body is not None
    }


def parameters(endpoints: Iterable[Endpoint], prefix: str) -> dict[tuple[str, str], Sequence[Parameter]]:
    """What each route reads of the query, for the description of the whole."""
    return {(each.method, prefix + each.path.replace(":str}", "}")): each.query for each in endpoints if each.query}


def _handler(endpoint: Endpoint, services: type[Any], refused: Any, media_type: str) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(await _reply(endpoint, services, request), status_code=endpoint.success, media_type=JSON)

    async def handle_without_content(request: Request[Any, Any, Any]) -> None:
        await _reply(endpoint, services, request)

    refusals = ResponseSpec(refused, generate_examples=False, description="Refused", media_type=media_type)
    told = ResponseSpec(endpoint.answer, generate_examples=False, description="OK", media_type=JSON)
    made: HTTPRouteHandler = _METHODS[endpoint.method](
        endpoint.path,
        name=endpoint.name,
        operation_id=endpoint.name,
        summary=endpoint.summary,
        status_code=endpoint.success,
        responses={endpoint.success: told, **dict.fromkeys((400, *endpoint.refusals), refusals)},
        request_max_body_size=endpoint.largest,
    )(handle_without_content if endpoint.success == _NO_CONTENT else handle)
    return made


async def _reply(endpoint: Endpoint, kind: type[Any], request: Request[Any, Any, Any]) -> bytes:
    services, principal = services_of(request, kind), principal_of(request)
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not do this")
    asked = Asked(
        principal=principal,
        path={name: str(value) for name, value in request.path_params.items()},
        query={
            each.name: request.query_params[each.name] for each in endpoint.query if each.name in request.query_params
        },
        body=b"" if endpoint.method in {"get", "delete"} else await body_of(request),
        now=clock_of(request)(),
    )
    work = threads_of(request).shared(
        principal.workspace, endpoint.lengthy, _answered, endpoint.function, services, asked
    )
    return await while_wanted(request, asked.wanted, work)


def _answered(function: Function, services: object, asked: Asked) -> bytes:
    """Encoded where it blocks nobody."""
    return msgspec.json.encode(function(services, asked))


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body, read to its end."""
    try:
        return await request.body()
    except InternalServerException:
        # The framework's word for a client that went away.
        raise HTTPException(status_code=400, detail="the body ended early") from None
