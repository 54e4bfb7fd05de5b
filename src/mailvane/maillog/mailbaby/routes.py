"""The paths of the MailBaby API. Each hands its query to blocking code on a thread, and gives back bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Schema
from litestar.openapi.spec import Parameter as Documented
from litestar.params import FromPath

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import Principal
from mailvane.maillog.mailbaby import log, orders, statistics
from mailvane.maillog.mailbaby.parameters import PARAMETERS, query_values
from mailvane.maillog.mailbaby.shape import (
    DIALECT,
    JSON,
    ErrorMessage,
    MailLogPage,
    MailOrder,
    MailOrderDetail,
    MailStats,
    answer,
)
from mailvane.maillog.services import MailLogServices
from mailvane.web.door import principal_of
from mailvane.web.services import services_of, threads_of

AnyRequest = Request[Any, Any, Any]


def _services(request: AnyRequest) -> MailLogServices:
    return services_of(request, MailLogServices)


def _answers(model: Any, *refusals: int) -> dict[int, ResponseSpec]:
    documented = {200: ResponseSpec(model, generate_examples=False, description="OK", media_type=JSON)}
    for status in (*refusals, 401):
        documented[status] = ResponseSpec(ErrorMessage, generate_examples=False, description="Refused")
    return documented


def _documented(name: str, description: str, schema: dict[str, Any]) -> Documented:
    return Documented(name=name, param_in="query", description=description, schema=_schema(schema))


def _schema(schema: dict[str, Any]) -> Schema:
    words = {"oneOf": "one_of", "minLength": "min_length", "maxLength": "max_length"}
    fields = {words.get(name, name): value for name, value in schema.items()}
    if "one_of" in fields:
        fields["one_of"] = [Schema(**each) for each in fields["one_of"]]
    return Schema(**fields)


def _log_parameters() -> list[Any]:
    return [_documented(each.name, each.description, each.schema) for each in PARAMETERS]


def _stats_parameters() -> list[Any]:
    window = {"type": "string", "enum": list(statistics.WINDOWS), "default": statistics.DEFAULT_WINDOW}
    return [_documented("time", "The window of `received`, `sent` and `volume`.", window)]


@dataclass
class LogOperation(Operation):
    """Documents the query, which the framework does not read."""

    def __post_init__(self) -> None:
        self.parameters = _log_parameters()


@dataclass
class StatsOperation(Operation):
    """Documents the query, which the framework does not read."""

    def __post_init__(self) -> None:
        self.parameters = _stats_parameters()


@get(
    "/ping",
    media_type=MediaType.TEXT,
    operation_id="ping",
    summary="Whether the server answers",
    responses={400: ResponseSpec(ErrorMessage, generate_examples=False, description="Refused")},
    security=[{}],
)
async def ping() -> str:
    return "Server is up and running"


@get("/", operation_id="get_mail_orders", summary="All mail orders", responses=_answers(list[MailOrder]))
async def mail_orders(request: AnyRequest) -> Response[bytes]:
    workspace = workspace_of(principal_of(request))
    return answer(await threads_of(request).quick(orders.orders, _services(request), workspace))


@get(
    "/{order_id:str}",
    operation_id="get_mail_order_by_id",
    summary="One mail order",
    responses=_answers(MailOrderDetail, 400, 404),
)
async def mail_order(request: AnyRequest, order_id: FromPath[str]) -> Response[bytes]:
    workspace = workspace_of(principal_of(request))
    return answer(await threads_of(request).quick(orders.order, _services(request), workspace, order_id))


@get(
    "/stats",
    operation_id="get_stats",
    summary="Statistics by window",
    responses=_answers(MailStats, 400),
    operation_class=StatsOperation,
)
async def mail_stats(request: AnyRequest) -> Response[bytes]:
    workspace = workspace_of(principal_of(request))
    window = query_values(request.scope["query_string"]).get("time")
    asking = threads_of(request).ask(workspace, window, statistics.stats, _services(request), workspace, window)
    return answer(await asking)


@get(
    "/log",
    operation_id="view_mail_log",
    summary="The mail log",
    responses=_answers(MailLogPage, 400, 404),
    operation_class=LogOperation,
)
async def mail_log(request: AnyRequest) -> Response[bytes]:
    workspace = workspace_of(principal_of(request))
    query = request.scope["query_string"]
    return answer(await threads_of(request).ask(workspace, query, log.log_page, _services(request), workspace, query))


def workspace_of(principal: Principal) -> int:
    """Raises InvalidInput when the key spans workspaces and the request names none."""
    if principal.workspace is None:
        raise InvalidInput("name the workspace in the X-Workspace-Id header")
    return principal.workspace


_MAIL = Router(path="/mail", route_handlers=[mail_orders, mail_order, mail_stats, mail_log])
ROUTER = Router(path="/", route_handlers=[ping, _MAIL], tags=["MailBaby"])

__all__ = ["DIALECT", "ROUTER"]
