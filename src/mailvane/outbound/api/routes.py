"""The paths of outbound governance in Mailvane's own interface, a row each."""

from __future__ import annotations

from mailvane.outbound.api import governed, limits
from mailvane.outbound.model import BillingPeriod
from mailvane.outbound.send_limits import LimitStanding
from mailvane.outbound.services import OutboundServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, RouteTable

_LIMIT = "/limits/{kind:str}/{name:str}"
_ROWS = [
    Endpoint(
        "get", "/billing/periods", "billing_periods", "Frozen months, the newest first", governed.periods,
        list[BillingPeriod], query=(governed.LIMIT,),
    ),
    Endpoint(
        "get", "/domains/{name:str}/audit", "domain_audit", "What was done to a domain, the newest first",
        governed.audit, list[governed.Act], query=(governed.LIMIT,),
    ),
    Endpoint(
        "get", "/limits", "limits", "Limits of mailboxes, logins and domains, by kind and name", limits.listed,
        list[limits.LimitShape],
    ),
    Endpoint("get", _LIMIT, "limits_show", "What holds for one, and what is used of it", limits.show, LimitStanding),
    Endpoint(
        "put", _LIMIT, "limits_put", "Limit a mailbox, login or domain in an hour, a day and a month", limits.put,
        limits.LimitShape, limits.WindowsBody,
    ),
    Endpoint("delete", _LIMIT, "limits_remove", "Take a limit back", limits.remove, None),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, OutboundServices, NATIVE, ("Native",), NATIVE_PREFIX, clients=True)
