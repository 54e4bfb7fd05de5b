"""The paths of the MailBaby API, a row each."""

from __future__ import annotations

from mailvane.maillog.mailbaby import log, orders, statistics
from mailvane.maillog.mailbaby.parameters import PARAMETERS
from mailvane.maillog.mailbaby.shape import DIALECT, MailLogPage, MailOrder, MailOrderDetail, MailStats
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import PLAIN, Endpoint, Parameter, Pool, RouteTable

__all__ = ["DIALECT", "ROUTES"]

_LOG_QUERY = tuple(Parameter(each.name, each.description, each.schema) for each in PARAMETERS)
_STATS_QUERY = (
    Parameter(
        "time",
        "The window of `received`, `sent` and `volume`.",
        {"type": "string", "enum": list(statistics.WINDOWS), "default": statistics.DEFAULT_WINDOW},
    ),
)


async def ping(_services: MailLogServices, _request: object) -> str:
    return "Server is up and running"


ROUTES = RouteTable(
    [
        Endpoint("get", "/ping", "ping", "Whether the server answers", ping, str, pool=Pool.LOOP, answer_type=PLAIN),
        Endpoint("get", "/mail", "get_mail_orders", "All mail orders", orders.orders, list[MailOrder]),
        Endpoint(
            "get", "/mail/{order_id:str}", "get_mail_order_by_id", "One mail order", orders.order, MailOrderDetail,
        ),
        Endpoint(
            "get", "/mail/stats", "get_stats", "Statistics by window", statistics.stats, MailStats,
            pool=Pool.MAIL_LOG, query=_STATS_QUERY,
        ),
        Endpoint(
            "get", "/mail/log", "view_mail_log", "The mail log", log.log_page, MailLogPage,
            pool=Pool.MAIL_LOG, query=_LOG_QUERY,
        ),
    ],
    services=MailLogServices,
    dialect=DIALECT,
    tags=("MailBaby",),
)  # fmt: skip
