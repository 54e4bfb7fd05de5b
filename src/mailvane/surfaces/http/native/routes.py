"""The paths of Mailvane's own interface."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi.datastructures import ResponseSpec

from mailvane.domain.history import (
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    Statistics,
    StatisticsQuestion,
)
from mailvane.domain.tenancy import KeyKind
from mailvane.errors import InvalidInput, NotAllowed
from mailvane.storage.domains import BillingPeriod
from mailvane.surfaces.http.door import principal_of
from mailvane.surfaces.http.endpoints import JSON, bodies, handlers
from mailvane.surfaces.http.native import governed, maillog, watchtower
from mailvane.surfaces.http.native.event import NativeEvent
from mailvane.surfaces.http.native.gathering import IntakeCommits
from mailvane.surfaces.http.native.intake import LARGE_BODY, MAX_BODY, Intake, Receipt, Told, unpacked
from mailvane.surfaces.http.native.problem import DIALECT, MEDIA_TYPE, PREFIX, Problem
from mailvane.surfaces.http.services import bridge_of, services_of
from mailvane.surfaces.http.wanted import Wanted, while_wanted

AnyRequest = Request[Any, Any, Any]
_LARGE_PACKED = 16 * 1024
NDJSON = frozenset({"", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"})


def _answers(model: Any) -> dict[int, ResponseSpec]:
    refused = ResponseSpec(Problem, generate_examples=False, description="Refused", media_type=MEDIA_TYPE)
    return {
        200: ResponseSpec(model, generate_examples=False, description="OK", media_type=JSON),
        **dict.fromkeys((400, 401, 403, 404), refused),
    }


@post(
    "/events",
    status_code=200,
    summary="Take in mail events",
    request_max_body_size=MAX_BODY,
    responses=_answers(Receipt),
)
async def take_events(request: AnyRequest) -> Response[bytes]:
    principal = principal_of(request)
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not send mail events")
    if principal.workspace is None:
        raise InvalidInput("name the workspace in the X-Workspace-Id header")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in NDJSON:
        raise HTTPException(status_code=415, detail="send mail events as application/x-ndjson")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    body = await _body(request)
    intake: Intake = request.app.state.intake
    commits: IntakeCommits = request.app.state.intake_commits
    workspace = principal.workspace
    is_large = len(body) > LARGE_BODY or (encoding not in {"", "identity"} and len(body) > _LARGE_PACKED)
    wanted = Wanted()

    def read() -> Told:
        return intake.read(workspace, unpacked(body, encoding), wanted)

    told = await while_wanted(request, wanted, bridge_of(request).shared(workspace, is_large, read))
    receipt = await commits.add(workspace, told)
    request.app.state.metrics.recorded(receipt.accepted)
    return _json(msgspec.json.encode(receipt))


@post(
    "/search",
    operation_id="maillog_search",
    status_code=200,
    summary="One page of deliveries",
    responses=_answers(LogPage),
)
async def search(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.search)


@post(
    "/statistics",
    operation_id="maillog_statistics",
    status_code=200,
    summary="Counts and ranked tables",
    responses=_answers(Statistics),
)
async def statistics(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.statistics)


@post(
    "/hourly",
    operation_id="maillog_hourly",
    status_code=200,
    summary="Counts hour by hour",
    responses=_answers(list[HourlyCounts]),
)
async def hourly(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.hourly)


@post(
    "/life",
    operation_id="maillog_life",
    status_code=200,
    summary="Every event of one mail",
    responses=_answers(list[list[Any]]),
)
async def life(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.life)


@post(
    "/health",
    operation_id="maillog_health",
    status_code=200,
    summary="What and how large the mail log is",
    responses=_answers(MailLogHealth),
)
async def health(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.health)


@post(
    "/retain",
    operation_id="maillog_retain",
    status_code=200,
    summary="Apply a new retention to what is stored",
    responses=_answers(None),
)
async def retain(request: AnyRequest) -> Response[bytes]:
    return await _keep_up(request, maillog.retain)


@post(
    "/upkeep",
    operation_id="maillog_upkeep",
    status_code=200,
    summary="Rebuild, back up or restore the mail log",
    responses=_answers(None),
)
async def upkeep(request: AnyRequest) -> Response[bytes]:
    return await _keep_up(request, maillog.upkeep)


@get(
    "/billing/periods",
    operation_id="billing_periods",
    summary="Frozen months, the newest first",
    responses=_answers(list[BillingPeriod]),
)
async def billing_periods(request: AnyRequest) -> Response[bytes]:
    return await _look(request, governed.periods)


@get(
    "/domains/{name:str}/audit",
    operation_id="domain_audit",
    summary="What was done to a domain, the newest first",
    responses=_answers(list[governed.Act]),
)
async def domain_audit(request: AnyRequest) -> Response[bytes]:
    return await _look(request, partial(governed.audit, name=request.path_params["name"]))


async def _look(request: AnyRequest, question: governed.Question) -> Response[bytes]:
    governance = services_of(request).outbound.governance
    principal, limit = principal_of(request), request.query_params.get("limit")
    return _json(await bridge_of(request).quick(question, governance, principal, limit))


async def _ask(request: AnyRequest, question: maillog.Question) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    store, same = services_of(request).maillog, (question, principal, body)
    asking = bridge_of(request).ask(principal.workspace, same, maillog.encoded, question, store, principal, body)
    return _json(await asking)


async def _keep_up(request: AnyRequest, task: maillog.Question) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    store = services_of(request).maillog
    return _json(await bridge_of(request).upkeep(maillog.encoded, task, store, principal, body))


async def _body(request: AnyRequest) -> bytes:
    try:
        return await request.body()
    except InternalServerException:
        # The framework's word for a client that went away, which is no failure of ours and nothing to search a log for.
        raise HTTPException(status_code=400, detail="the body ended early") from None


def _json(content: bytes) -> Response[bytes]:
    return Response(content, status_code=200, media_type=JSON)


_MAILLOG = Router(
    path="/maillog", route_handlers=[search, statistics, hourly, life, health, retain, upkeep], tags=["Mail log"]
)
BODIES: dict[tuple[str, str], tuple[str, Any]] = {
    ("post", f"{PREFIX}/events"): ("application/x-ndjson", NativeEvent),
    ("post", f"{PREFIX}/maillog/search"): (JSON, LogQuestion),
    ("post", f"{PREFIX}/maillog/statistics"): (JSON, StatisticsQuestion),
    ("post", f"{PREFIX}/maillog/hourly"): (JSON, HourlyQuestion),
    ("post", f"{PREFIX}/maillog/life"): (JSON, maillog.LifeQuestion),
    ("post", f"{PREFIX}/maillog/retain"): (JSON, maillog.Retention),
    ("post", f"{PREFIX}/maillog/upkeep"): (JSON, maillog.Upkeep),
    **bodies(watchtower.ENDPOINTS, PREFIX),
}  # what each route reads, which the framework does not
_REPUTATION = handlers(watchtower.ENDPOINTS, Problem, MEDIA_TYPE)
ROUTER = Router(
    path=PREFIX,
    route_handlers=[take_events, billing_periods, domain_audit, *_REPUTATION, _MAILLOG],
    tags=["Native"],
)

__all__ = ["BODIES", "DIALECT", "ROUTER"]
