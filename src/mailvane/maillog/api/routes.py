"""The paths of the mail log in Mailvane's own interface: the intake of events, questions, upkeep."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, Router, post
from litestar.exceptions import HTTPException

from mailvane.core.errors import InvalidInput, NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.maillog.api import questions as maillog
from mailvane.maillog.api.event import NativeEvent
from mailvane.maillog.api.gathering import IntakeCommits
from mailvane.maillog.api.intake import LARGE_BODY, MAX_BODY, Intake, Receipt, Told, unpacked
from mailvane.maillog.queries import (
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    Statistics,
    StatisticsQuestion,
)
from mailvane.maillog.services import MailLogServices
from mailvane.web.door import principal_of
from mailvane.web.endpoints import JSON, Parameter, body_of
from mailvane.web.problem import PREFIX, answers
from mailvane.web.services import services_of, threads_of
from mailvane.web.wanted import Wanted, while_wanted

AnyRequest = Request[Any, Any, Any]
_LARGE_PACKED = 16 * 1024
NDJSON = frozenset({"", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"})


@post(
    "/events",
    status_code=200,
    summary="Take in mail events",
    request_max_body_size=MAX_BODY,
    responses=answers(Receipt, 413, 415),
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
    body = await body_of(request)
    intake: Intake = request.app.state.intake
    commits: IntakeCommits = request.app.state.intake_commits
    workspace = principal.workspace
    is_large = len(body) > LARGE_BODY or (encoding not in {"", "identity"} and len(body) > _LARGE_PACKED)
    wanted = Wanted()

    def read() -> Told:
        return intake.read(workspace, unpacked(body, encoding), wanted)

    told = await while_wanted(request, wanted, threads_of(request).shared(workspace, is_large, read))
    receipt = await commits.add(workspace, told)
    request.app.state.metrics.recorded(receipt.accepted)
    return _json(msgspec.json.encode(receipt))


@post(
    "/search",
    operation_id="maillog_search",
    status_code=200,
    summary="One page of deliveries",
    responses=answers(LogPage),
)
async def search(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.search)


@post(
    "/statistics",
    operation_id="maillog_statistics",
    status_code=200,
    summary="Counts and ranked tables",
    responses=answers(Statistics),
)
async def statistics(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.statistics)


@post(
    "/hourly",
    operation_id="maillog_hourly",
    status_code=200,
    summary="Counts hour by hour",
    responses=answers(list[HourlyCounts]),
)
async def hourly(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.hourly)


@post(
    "/life",
    operation_id="maillog_life",
    status_code=200,
    summary="Every event of one mail",
    responses=answers(list[list[Any]]),
)
async def life(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.life)


@post(
    "/health",
    operation_id="maillog_health",
    status_code=200,
    summary="What and how large the mail log is",
    responses=answers(MailLogHealth),
)
async def health(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, maillog.health)


@post(
    "/verify",
    operation_id="maillog_verify",
    status_code=200,
    summary="Read the whole mail log; what is broken or lacking",
    responses=answers(list[str]),
)
async def verify(request: AnyRequest) -> Response[bytes]:
    return await _keep_up(request, maillog.verify)


@post(
    "/retain",
    operation_id="maillog_retain",
    status_code=200,
    summary="Apply a new retention to what is stored",
    responses=answers(None),
)
async def retain(request: AnyRequest) -> Response[bytes]:
    return await _keep_up(request, maillog.retain)


@post(
    "/upkeep",
    operation_id="maillog_upkeep",
    status_code=200,
    summary="Rebuild, back up or restore the mail log, or accept what is lost of it",
    responses=answers(None, 409),
)
async def upkeep(request: AnyRequest) -> Response[bytes]:
    return await _keep_up(request, maillog.upkeep)


async def _ask(request: AnyRequest, question: maillog.Question) -> Response[bytes]:
    principal, body = principal_of(request), await body_of(request)
    store, same = services_of(request, MailLogServices).maillog, (question, principal, body)
    asking = threads_of(request).ask(principal.workspace, same, maillog.encoded, question, store, principal, body)
    return _json(await asking)


async def _keep_up(request: AnyRequest, task: maillog.Question) -> Response[bytes]:
    principal, body = principal_of(request), await body_of(request)
    store = services_of(request, MailLogServices).maillog
    return _json(await threads_of(request).upkeep(maillog.encoded, task, store, principal, body))


def _json(content: bytes) -> Response[bytes]:
    return Response(content, status_code=200, media_type=JSON)


_MAILLOG = Router(
    path="/maillog",
    route_handlers=[search, statistics, hourly, life, health, verify, retain, upkeep],
    tags=["Mail log"],
)
HANDLERS: list[Any] = [take_events, _MAILLOG]
_ENCODING = Parameter(
    "Content-Encoding",
    "How the body is packed.",
    {"type": "string", "enum": ["identity", "gzip", "x-gzip"], "default": "identity"},
    place="header",
)
PARAMETERS = {("post", f"{PREFIX}/events"): (_ENCODING,)}
BODIES: dict[tuple[str, str], tuple[str, Any]] = {
    ("post", f"{PREFIX}/events"): ("application/x-ndjson", NativeEvent),
    ("post", f"{PREFIX}/maillog/search"): (JSON, LogQuestion),
    ("post", f"{PREFIX}/maillog/statistics"): (JSON, StatisticsQuestion),
    ("post", f"{PREFIX}/maillog/hourly"): (JSON, HourlyQuestion),
    ("post", f"{PREFIX}/maillog/life"): (JSON, maillog.LifeQuestion),
    ("post", f"{PREFIX}/maillog/retain"): (JSON, maillog.Retention),
    ("post", f"{PREFIX}/maillog/upkeep"): (JSON, maillog.Upkeep),
}  # what each route reads, which the framework does not
