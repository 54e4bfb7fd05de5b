"""How the framework serves the rows of a table: what a function gets, where it runs, how its reply goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import HttpMethod
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from mailvane.core.errors import NotAllowed, NotPossible
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.web.application import Handler, Routes
from mailvane.web.dialect import JSON
from mailvane.web.endpoints import (
    NO_CONTENT,
    Asked,
    Endpoint,
    Function,
    Pool,
    RouteTable,
    clock_of,
    services_of,
    threads_of,
)
from mailvane.web.gateway import principal_of
from mailvane.web.wanted import while_wanted

AnyRequest = Request[Any, Any, Any]
Encode = Callable[[Any], bytes]

_ENCODER = msgspec.json.Encoder()


class Reply:
    """An answer that is sent as it is; the framework's way is a tenth of all the work of the most frequent route."""

    __slots__ = ("_content", "_content_type", "_status")

    def __init__(self, content: bytes, status: int, content_type: bytes) -> None:
        self._content = content
        self._status = status
        self._content_type = content_type

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = b"%d" % len(self._content)
        headers = [(b"content-type", self._content_type), (b"content-length", length)]
        if self._status == NO_CONTENT:
            headers = []
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._content, "more_body": False})


@dataclass(frozen=True)
class _Served:
    """A row of a table, and what each of its requests would find out again."""

    row: Endpoint
    table: RouteTable
    encode: Encode
    needs_key: bool
    query: tuple[str, ...]  # names of parameters
    headers: tuple[str, ...]


def handlers(tables: Iterable[RouteTable]) -> list[Routes]:
    """What the framework serves."""
    return [Routes(_handler(row, table) for row in table.rows) for table in tables]


def _handler(row: Endpoint, table: RouteTable) -> HTTPRouteHandler:
    content_type = row.answer_type.encode()
    if row.answer_type.startswith("text/"):
        content_type += b"; charset=utf-8"
    served, status, kind, function = _served(row, table), row.success, table.services, row.function

    async def on_loop(request: AnyRequest) -> ASGIApp:
        return Reply(served.encode(await function(services_of(request, kind), request)), status, content_type)

    async def on_thread(request: AnyRequest) -> ASGIApp:
        return Reply(await _answered(served, request), status, content_type)

    serve = Handler(
        table.path(row), http_method=HttpMethod(row.method.upper()), name=row.name, request_max_body_size=row.largest,
        status_code=200,  # the reply tells its own
    )  # fmt: skip
    made: HTTPRouteHandler = serve(on_loop if row.pool is Pool.LOOP else on_thread)
    return made


def _served(row: Endpoint, table: RouteTable) -> _Served:
    query, headers = (tuple(each.name for each in row.query if each.place == place) for place in ("query", "header"))
    return _Served(row, table, _encoding(row), not table.is_open(row), query, headers)


def _encoding(row: Endpoint) -> Encode:
    if row.success == NO_CONTENT:
        return _nothing
    return _as_it_is(_ENCODER.encode if row.answer_type == JSON else str.encode)


def _as_it_is(encode: Encode) -> Encode:
    """Bytes are an answer as they are: a copy for each client that does not read its answer is much memory."""
    return lambda reply: reply if isinstance(reply, bytes) else encode(reply)


def _nothing(_reply: object) -> bytes:
    return b""


async def _answered(served: _Served, request: AnyRequest) -> bytes:
    row, table = served.row, served.table
    proven = _admitted(request, table) if served.needs_key else None
    asked = await _asked(served, proven, request)
    threads, workspace = threads_of(request), proven.workspace if proven else None
    forget = request.app.state.key_cache.forget if row.forgets_keys else None
    work = row.function, services_of(request, table.services), asked, served.encode, forget
    if row.pool is Pool.MAIL_LOG:
        same = (row.name, proven.kind if proven else None, asked.body, *asked.path.values(), *asked.query.items())
        return await threads.ask(workspace, same, _replied, *work)
    if row.pool is Pool.OUTSIDE:
        return await threads.outside(_replied, *work)
    if row.pool is Pool.UPKEEP:
        return await threads.upkeep(_replied, *work)
    in_turn = threads.for_workspace(workspace, row.pool is Pool.LENGTHY, _replied, *work)
    return await while_wanted(request, asked.wanted, in_turn)


def _replied(
    function: Function, services: object, asked: Asked, encode: Encode, forget: Callable[[], None] | None
) -> bytes:
    """The reply, encoded on a thread. The key cache is cleared here: the client may leave before it is answered."""
    reply = function(services, asked)
    if forget is not None:
        forget()
    return encode(reply)


def _admitted(request: AnyRequest, table: RouteTable) -> Principal:
    principal = principal_of(request)
    if principal.kind is KeyKind.CLIENT and not table.clients:
        raise NotAllowed("a client key may not do this")
    return principal


async def _asked(served: _Served, proven: Principal | None, request: AnyRequest) -> Asked:
    row = served.row
    query = served.table.dialect.query_values(request.scope["query_string"]) if row.query else {}
    return Asked(
        proven=proven,
        path={name: str(value) for name, value in request.path_params.items()},
        query={name: query[name] for name in served.query if name in query},
        body=b"" if row.method in {"get", "delete"} else await body_of(request),
        now=clock_of(request)(),
        headers={name: request.headers[name] for name in served.headers if name in request.headers},
    )


async def body_of(request: AnyRequest) -> bytes:
    """The body, read to its end."""
    try:
        return await request.body()
    except InternalServerException:
        # The framework's word for a client that went away, which is no failure of ours.
        raise NotPossible("the body ended early") from None
