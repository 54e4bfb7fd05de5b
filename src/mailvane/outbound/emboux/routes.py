"""The paths of the Emboux API. Each hands its body to blocking code on a thread, and gives back bytes.

The increment does not: it is asked once for every outgoing mail, and waits on the loop for its group's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.params import FromPath
from litestar.types import ASGIApp

from mailvane.core.errors import NotFound
from mailvane.outbound.emboux import api_keys, domains, outbound, proof, shape
from mailvane.outbound.emboux.access import scope_of
from mailvane.outbound.emboux.parameters import (
    DomainApproval,
    DomainCreation,
    DomainOwner,
    KeyCreation,
    KeyTerms,
    OutboundChange,
)
from mailvane.outbound.emboux.shape import DIALECT, JSON, WEBHOOK, Detail, answer
from mailvane.outbound.model import SendRequest
from mailvane.outbound.services import OutboundServices
from mailvane.web.door import principal_of
from mailvane.web.services import services_of, threads_of

AnyRequest = Request[Any, Any, Any]


def _services(request: AnyRequest) -> OutboundServices:
    return services_of(request, OutboundServices)


_LARGEST_NOTIFICATION = 1024 * 1024  # ours: a topic passes on at most 256 kB, written as JSON within JSON


def _answers(model: Any, *refusals: int, status: int = 200) -> dict[int, ResponseSpec]:
    documented = {status: ResponseSpec(model, generate_examples=False, description="OK", media_type=JSON)}
    for refusal in (403, *refusals):
        documented[refusal] = ResponseSpec(Detail, generate_examples=False, description="Refused", media_type=JSON)
    return documented


@dataclass
class FreezeOperation(Operation):
    """Documents the header, which the framework does not read."""

    def __post_init__(self) -> None:
        told = "A reset that was made under this key is told again, and not made again."
        text = Schema(type="string", min_length=1, max_length=255)  # type: ignore[arg-type]
        self.parameters = [Parameter(name="Idempotency-Key", param_in="header", description=told, schema=text)]


@dataclass
class UsageOperation(Operation):
    """Documents the query, which the framework does not read."""

    def __post_init__(self) -> None:
        told = "Lists what was made since this time (ISO 8601; without a zone it is UTC)."
        text = Schema(type="string")  # type: ignore[arg-type]
        since = Parameter(name="since", param_in="query", description=told, schema=text)
        self.parameters = [*(self.parameters or []), since]


@get("/domains", summary="All domains that the key opens", responses=_answers(list[shape.NewDomain]))
async def list_domains(request: AnyRequest) -> Response[bytes]:
    return answer(await threads_of(request).quick(domains.listed, _services(request), principal_of(request)))


@post(
    "/domains",
    status_code=201,
    summary="A new domain",
    responses=_answers(shape.NewDomain, 400, 422, status=201),
)
async def create_domain(request: AnyRequest) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    return answer(await threads_of(request).quick(domains.create, _services(request), principal, body), 201)


@delete(
    "/domains/{name:str}",
    status_code=204,
    summary="Remove a domain",
    responses=_answers(None, 404, status=204),
)
async def remove_domain(request: AnyRequest, name: FromPath[str]) -> None:
    await threads_of(request).quick(domains.remove, _services(request), principal_of(request), name)


@put("/domains/{name:str}/owner", summary="Give a domain to another partner", responses=_answers(shape.Owner, 400, 404))
async def move_domain(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    return answer(await threads_of(request).quick(domains.move, _services(request), principal, name, body))


@put("/domains/{name:str}/suspend", summary="Stop a whole domain", responses=_answers(shape.Lifecycle, 404))
async def suspend_domain(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    return answer(await threads_of(request).quick(domains.suspend, _services(request), principal_of(request), name))


@put("/domains/{name:str}/activate", summary="Start a stopped domain", responses=_answers(shape.Lifecycle, 404))
async def activate_domain(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    return answer(await threads_of(request).quick(domains.activate, _services(request), principal_of(request), name))


@put(
    "/domains/{name:str}/approve",
    summary="Let a domain that a customer made hold for mail servers and feedback",
    responses=_answers(shape.Approval, 400, 404, 422),
)
async def approve_domain(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    return answer(await threads_of(request).quick(domains.approve, _services(request), principal, name, body))


@get("/domains/{name:str}/outbound", summary="Limits and counters", responses=_answers(shape.Outbound, 404))
async def show_outbound(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    return answer(await threads_of(request).quick(outbound.show, _services(request), principal_of(request), name))


@put("/domains/{name:str}/outbound", summary="Change limits", responses=_answers(shape.Outbound, 404, 422))
async def change_outbound(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    return answer(await threads_of(request).quick(outbound.change, _services(request), principal, name, body))


@post(
    "/domains/{name:str}/outbound/increment",
    status_code=200,
    summary="May this mail pass? Counts it when it may",
    responses=_answers(shape.Increment, 404),
)
async def increment(request: AnyRequest, name: FromPath[str]) -> ASGIApp:
    services = _services(request)
    passage = SendRequest(domain=name, workspace=scope_of(principal_of(request)))
    verdict = await services.desk.decide(passage)
    if not verdict.known:
        raise NotFound(shape.DOMAIN_NOT_FOUND)
    return shape.Told(shape.increment(verdict))


@post(
    "/domains/{name:str}/ses-verify",
    status_code=200,
    summary="Begin to prove a domain",
    responses=_answers(shape.SesVerification, 404),
)
async def begin_verification(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    return answer(await threads_of(request).outside(proof.begin, _services(request), principal_of(request), name))


@get("/domains/{name:str}/ses-status", summary="How far the proof is", responses=_answers(shape.SesStatus, 404))
async def verification_status(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    return answer(await threads_of(request).outside(proof.status, _services(request), principal_of(request), name))


@post(
    "/outbound/reset-daily",
    status_code=200,
    summary="Begin every domain's day anew",
    responses=_answers(shape.DailyReset),
)
async def reset_daily(request: AnyRequest) -> Response[bytes]:
    return answer(await threads_of(request).quick(outbound.reset_daily, _services(request), principal_of(request)))


@post(
    "/outbound/reset-monthly",
    status_code=200,
    summary="Freeze every domain's month, and begin it anew",
    responses=_answers(shape.MonthlyReset, 422),
    operation_class=FreezeOperation,
)
async def reset_monthly(request: AnyRequest) -> Response[bytes]:
    principal, key = principal_of(request), request.headers.get("idempotency-key")
    return answer(await threads_of(request).quick(outbound.reset_monthly, _services(request), principal, key))


@post("/api-keys", status_code=201, summary="A customer's key", responses=_answers(shape.ApiKey, 400, 422, status=201))
async def create_key(request: AnyRequest) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    return answer(await threads_of(request).quick(api_keys.create, _services(request), principal, body), 201)


@put("/api-keys/{token:str}", summary="Change a key's terms", responses=_answers(shape.ApiKey, 404, 422))
async def change_key(request: AnyRequest, token: FromPath[str]) -> Response[bytes]:
    principal, body = principal_of(request), await _body(request)
    told = await threads_of(request).quick(api_keys.change, _services(request), principal, token, body)
    request.app.state.recognition.forget()
    return answer(told)


@delete(
    "/api-keys/{token:str}",
    status_code=204,
    summary="Take a key back",
    responses=_answers(None, 404, status=204),
)
async def remove_key(request: AnyRequest, token: FromPath[str]) -> None:
    await threads_of(request).quick(api_keys.remove, _services(request), principal_of(request), token)
    request.app.state.recognition.forget()


@get(
    "/api-keys/{token:str}/usage",
    summary="What a key's terms are used for",
    responses=_answers(shape.KeyUsage, 404),
    operation_class=UsageOperation,
)
async def key_usage(request: AnyRequest, token: FromPath[str]) -> Response[bytes]:
    principal, since = principal_of(request), request.query_params.get("since")
    return answer(await threads_of(request).quick(api_keys.usage, _services(request), principal, token, since))


@post(
    WEBHOOK,
    status_code=200,
    summary="Take in a notification of bounces and complaints",
    request_max_body_size=_LARGEST_NOTIFICATION,
    responses=_answers(shape.Taken, 400, 404, 422),
    security=[{}],
)
async def take_notification(request: AnyRequest) -> Response[bytes]:
    body = await _body(request)
    return answer(await threads_of(request).outside(proof.take, _services(request), body))


async def _body(request: AnyRequest) -> bytes:
    try:
        return await request.body()
    except InternalServerException:
        # The framework's word for a client that went away, which is no failure of ours.
        raise HTTPException(status_code=400, detail="the body ended early") from None


BODIES: dict[tuple[str, str], tuple[str, Any]] = {
    ("post", "/domains"): (JSON, DomainCreation),
    ("put", "/domains/{name}/owner"): (JSON, DomainOwner),
    ("put", "/domains/{name}/approve"): (JSON, DomainApproval),
    ("put", "/domains/{name}/outbound"): (JSON, OutboundChange),
    ("post", "/api-keys"): (JSON, KeyCreation),
    ("put", "/api-keys/{token}"): (JSON, KeyTerms),
    ("post", WEBHOOK): (JSON, dict[str, Any]),
}  # what each route reads, which the framework does not
ROUTER = Router(
    path="/",
    route_handlers=[
        list_domains,
        create_domain,
        remove_domain,
        move_domain,
        suspend_domain,
        activate_domain,
        approve_domain,
        show_outbound,
        change_outbound,
        increment,
        begin_verification,
        verification_status,
        reset_daily,
        reset_monthly,
        create_key,
        change_key,
        remove_key,
        key_usage,
        take_notification,
    ],
    tags=["Emboux"],
)

__all__ = ["BODIES", "DIALECT", "ROUTER"]
