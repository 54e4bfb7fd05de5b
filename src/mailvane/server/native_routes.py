"""The paths of Mailvane's own interface, of all rooms."""

from __future__ import annotations

from litestar import Router

from mailvane.dmarc.api import routes as report_routes
from mailvane.dmarc.services import DmarcServices
from mailvane.maillog.api import routes as maillog_routes
from mailvane.notify.api import routes as notify_routes
from mailvane.notify.services import NotifyServices
from mailvane.outbound.api import routes as outbound_routes
from mailvane.reputation.api import routes as watchtower
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import bodies, handlers, parameters
from mailvane.web.problem import DIALECT, MEDIA_TYPE, PREFIX, Problem

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
