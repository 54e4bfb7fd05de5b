"""The paths of outbound governance in Mailvane's own interface: billing periods, the audit of a domain."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Request, Response, get

from mailvane.outbound.api import governed
from mailvane.outbound.interface import BillingPeriod
from mailvane.outbound.services import OutboundServices
from mailvane.web.door import principal_of
from mailvane.web.endpoints import JSON
from mailvane.web.problem import PREFIX, answers
from mailvane.web.services import services_of, threads_of

AnyRequest = Request[Any, Any, Any]


@get(
    "/billing/periods",
    operation_id="billing_periods",
    summary="Frozen months, the newest first",
    responses=answers(list[BillingPeriod]),
)
async def billing_periods(request: AnyRequest) -> Response[bytes]:
    return await _look(request, governed.periods)


@get(
    "/domains/{name:str}/audit",
    operation_id="domain_audit",
    summary="What was done to a domain, the newest first",
    responses=answers(list[governed.Act]),
)
async def domain_audit(request: AnyRequest) -> Response[bytes]:
    return await _look(request, partial(governed.audit, name=request.path_params["name"]))


async def _look(request: AnyRequest, question: governed.Question) -> Response[bytes]:
    governance = services_of(request, OutboundServices).governance
    principal, limit = principal_of(request), request.query_params.get("limit")
    found = await threads_of(request).quick(question, governance, principal, limit)
    return Response(found, status_code=200, media_type=JSON)


PARAMETERS = {
    ("get", f"{PREFIX}/billing/periods"): (governed.LIMIT,),
    ("get", f"{PREFIX}/domains/{{name}}/audit"): (governed.LIMIT,),
}
HANDLERS = [billing_periods, domain_audit]
