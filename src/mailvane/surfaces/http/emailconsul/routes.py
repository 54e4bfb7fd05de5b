"""The paths of the EmailConsul API. Each hands its body or query to blocking code on a thread, and gives back bytes."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from mailvane.domain.reputation import AssetKind
from mailvane.errors import InvalidInput
from mailvane.surfaces.http.door import principal_of
from mailvane.surfaces.http.emailconsul import alerts, assets, shape
from mailvane.surfaces.http.emailconsul.parameters import AlertBody, DomainsBody, IpsBody, ProfileBody
from mailvane.surfaces.http.emailconsul.shape import DIALECT, JSON, PREFIX, answer
from mailvane.surfaces.http.services import bridge_of, services_of

__all__ = ["BODIES", "DIALECT", "ROUTER"]

AnyRequest = Request[Any, Any, Any]


def _answers(model: Any, *refusals: int, status: int = 200) -> dict[int, ResponseSpec]:
    documented = {status: ResponseSpec(model, generate_examples=False, description="OK", media_type=JSON)}
    for refusal in (401, 403, *refusals):
        documented[refusal] = ResponseSpec(shape.Refused, generate_examples=False, description="Refused")
    return documented


def _workspace(request: AnyRequest) -> int:
    """Raises InvalidInput when the key opens several and none was named."""
    workspace = principal_of(request).workspace
    if workspace is None:
        raise InvalidInput("name the workspace with X-Workspace-Id")
    return workspace


async def _ask(request: AnyRequest, function: Any, *more: Any, status: int = 200) -> Response[bytes]:
    services = services_of(request).reputation
    return answer(await bridge_of(request).quick(function, services, _workspace(request), *more), status)


@get("/alerts", summary="All alerts", responses=_answers(shape.Page, 400))
async def list_alerts(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, alerts.listed, request.query_params)


@post("/alerts", status_code=201, summary="A new alert", responses=_answers(shape.AlertObject, 400, status=201))
async def create_alert(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, alerts.create, await request.body(), services_of(request).clock(), status=201)


@get("/alerts/{alert_id:str}", summary="One alert", responses=_answers(shape.AlertObject, 404))
async def show_alert(request: AnyRequest, alert_id: FromPath[str]) -> Response[bytes]:
    return await _ask(request, alerts.show, alert_id)


@put("/alerts/{alert_id:str}", summary="Change an alert", responses=_answers(shape.AlertObject, 400, 404))
async def update_alert(request: AnyRequest, alert_id: FromPath[str]) -> Response[bytes]:
    return await _ask(request, alerts.update, alert_id, await request.body(), services_of(request).clock())


@delete("/alerts/{alert_id:str}", status_code=204, summary="Remove an alert", responses=_answers(None, 404, status=204))
async def remove_alert(request: AnyRequest, alert_id: FromPath[str]) -> None:
    await _ask(request, alerts.remove, alert_id)


@get("/alerts/{alert_id:str}/log", summary="When an alert fired, and by what", responses=_answers(shape.Page, 404))
async def alert_log(request: AnyRequest, alert_id: FromPath[str]) -> Response[bytes]:
    return await _ask(request, alerts.log, alert_id, request.query_params)


@get("/alerts/stats/aggregated", summary="How often each alert fired", responses=_answers(shape.Rows, 400))
async def aggregated(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, alerts.aggregated, request.query_params)


@get("/alerts/stats/timeseries", summary="How often alerts fired, by day", responses=_answers(shape.Rows, 400))
async def timeseries(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, alerts.timeseries, request.query_params)


@get(
    "/alerts/stats/aggregated/{alert_id:str}/{rule_type:str}",
    summary="How often an alert fired, by what matched",
    responses=_answers(shape.Rows, 400, 404),
)
async def aggregated_of(request: AnyRequest, alert_id: FromPath[str], rule_type: FromPath[str]) -> Response[bytes]:
    return await _ask(request, alerts.aggregated_of, alert_id, rule_type, request.query_params)


@get(
    "/alerts/stats/timeseries/{alert_id:str}/{rule_type:str}",
    summary="How often an alert fired, by day",
    responses=_answers(shape.Rows, 400, 404),
)
async def timeseries_of(request: AnyRequest, alert_id: FromPath[str], rule_type: FromPath[str]) -> Response[bytes]:
    return await _ask(request, alerts.timeseries_of, alert_id, rule_type, request.query_params)


@get(
    ["/checkers/rbl_dictionary", "/epc/rbl_dictionary"],
    summary="The blocklists that are asked",
    responses=_answers(shape.Rows, 400),
)
async def rbl_dictionary(request: AnyRequest) -> Response[bytes]:
    services = services_of(request).reputation
    return answer(await bridge_of(request).quick(assets.dictionary, services, request.query_params))


@get("/profiles", summary="All profiles", responses=_answers(shape.Rows))
async def list_profiles(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, assets.profiles)


@post("/profiles", status_code=201, summary="A new profile", responses=_answers(shape.ProfileObject, 400, status=201))
async def add_profile(request: AnyRequest) -> Response[bytes]:
    return await _ask(request, assets.add_profile, await request.body(), services_of(request).clock(), status=201)


@put("/profiles/{profile_id:str}", summary="Rename a profile", responses=_answers(shape.ProfileObject, 400, 404))
async def rename_profile(request: AnyRequest, profile_id: FromPath[str]) -> Response[bytes]:
    return await _ask(request, assets.rename_profile, profile_id, await request.body())


@delete(
    "/profiles/{profile_id:str}", status_code=204, summary="Remove a profile", responses=_answers(None, 404, status=204)
)
async def remove_profile(request: AnyRequest, profile_id: FromPath[str]) -> None:
    await _ask(request, assets.remove_profile, profile_id)


def _watched(plural: str, kind: AssetKind, model: Any) -> list[HTTPRouteHandler]:
    """The paths of one kind of asset; those of the other are the same."""

    @get(f"/{plural}", name=f"list_{plural}", operation_id=f"list_{plural}", summary=f"The {plural} that are watched",
         responses=_answers(shape.Page, 400))  # fmt: skip
    async def listed(request: AnyRequest) -> Response[bytes]:
        return await _ask(request, assets.listed, kind, request.query_params)

    @post(f"/{plural}", name=f"add_{plural}", operation_id=f"add_{plural}", summary=f"Watch {plural}", status_code=201,
          responses=_answers(shape.Rows, 400, status=201))  # fmt: skip
    async def add(request: AnyRequest) -> Response[bytes]:
        return await _ask(request, assets.add, kind, await request.body(), services_of(request).clock(), status=201)

    @get(f"/{plural}/{{asset_id:str}}", name=f"show_{plural}", operation_id=f"show_{plural}",
         summary=f"One of the {plural}", responses=_answers(model, 404))  # fmt: skip
    async def show(request: AnyRequest, asset_id: FromPath[str]) -> Response[bytes]:
        return await _ask(request, assets.show, kind, asset_id)

    @delete(f"/{plural}/{{asset_id:str}}", name=f"remove_{plural}", operation_id=f"remove_{plural}", status_code=204,
            summary=f"Watch one of the {plural} no longer", responses=_answers(None, 404, status=204))  # fmt: skip
    async def remove(request: AnyRequest, asset_id: FromPath[str]) -> None:
        await _ask(request, assets.remove, kind, asset_id)

    @post(f"/{plural}/{{asset_id:str}}/refresh", name=f"refresh_{plural}", operation_id=f"refresh_{plural}",
          status_code=200, summary="Ask the blocklists now", responses=_answers(shape.Rows, 404))  # fmt: skip
    async def refresh(request: AnyRequest, asset_id: FromPath[str]) -> Response[bytes]:
        return await _ask(request, assets.refresh, kind, asset_id)

    @get(f"/{plural}/{{asset_id:str}}/rbl_changes_log", name=f"changes_{plural}", operation_id=f"changes_{plural}",
         summary="When it was listed where, and when that ended", responses=_answers(dict[str, Any], 404))  # fmt: skip
    async def changes(request: AnyRequest, asset_id: FromPath[str]) -> Response[bytes]:
        return await _ask(request, assets.changes, kind, asset_id, services_of(request).clock())

    return [listed, add, show, remove, refresh, changes]


BODIES = {
    ("post", f"{PREFIX}/alerts"): (JSON, AlertBody),
    ("put", f"{PREFIX}/alerts/{{alert_id}}"): (JSON, AlertBody),
    ("post", f"{PREFIX}/ips"): (JSON, IpsBody),
    ("post", f"{PREFIX}/domains"): (JSON, DomainsBody),
    ("post", f"{PREFIX}/profiles"): (JSON, ProfileBody),
    ("put", f"{PREFIX}/profiles/{{profile_id}}"): (JSON, ProfileBody),
}
ROUTER = Router(
    path=PREFIX,
    route_handlers=[
        list_alerts, create_alert, aggregated, timeseries, aggregated_of, timeseries_of, show_alert, update_alert,
        remove_alert, alert_log, rbl_dictionary, list_profiles, add_profile, rename_profile, remove_profile,
        *_watched("ips", AssetKind.IP, shape.Rows), *_watched("domains", AssetKind.DOMAIN, shape.Rows),
    ],
    tags=["EmailConsul"],
)  # fmt: skip
