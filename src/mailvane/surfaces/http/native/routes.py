"""The paths of Mailvane's own interface, of all rooms."""

from __future__ import annotations

from litestar import Router

from mailvane.surfaces.http.dmarc_services import DmarcServices
from mailvane.surfaces.http.endpoints import bodies, handlers, parameters
from mailvane.surfaces.http.native import maillog_routes, notify_routes, outbound_routes, report_routes, watchtower
from mailvane.surfaces.http.native.problem import DIALECT, MEDIA_TYPE, PREFIX, Problem
from mailvane.surfaces.http.notify_services import NotifyServices
from mailvane.surfaces.http.reputation_services import ReputationServices

_ROWS = [*watchtower.ENDPOINTS, *notify_routes.ENDPOINTS, *report_routes.ENDPOINTS]
BODIES = {
    **maillog_routes.BODIES,
    **bodies(_ROWS, PREFIX),
}
PARAMETERS = {**maillog_routes.PARAMETERS, **outbound_routes.PARAMETERS, **parameters(_ROWS, PREFIX)}
ROUTER = Router(
    path=PREFIX,
    route_handlers=[
        *outbound_routes.HANDLERS,
        *handlers(watchtower.ENDPOINTS, ReputationServices, Problem, MEDIA_TYPE),
        *handlers(notify_routes.ENDPOINTS, NotifyServices, Problem, MEDIA_TYPE),
        *handlers(report_routes.ENDPOINTS, DmarcServices, Problem, MEDIA_TYPE),
        *maillog_routes.HANDLERS,
    ],
    tags=["Native"],
)

__all__ = ["BODIES", "DIALECT", "PARAMETERS", "ROUTER"]
