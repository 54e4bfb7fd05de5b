"""The paths of outbound governance in Mailvane's own interface, a row each."""

from __future__ import annotations

from mailvane.outbound.api import governed
from mailvane.outbound.model import BillingPeriod
from mailvane.outbound.services import OutboundServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, RouteTable

_ROWS = [
    Endpoint(
        "get", "/billing/periods", "billing_periods", "Frozen months, the newest first", governed.periods,
        list[BillingPeriod], query=(governed.LIMIT,),
    ),
    Endpoint(
        "get", "/domains/{name:str}/audit", "domain_audit", "What was done to a domain, the newest first",
        governed.audit, list[governed.Act], query=(governed.LIMIT,),
    ),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, OutboundServices, NATIVE, ("Native",), NATIVE_PREFIX, clients=True)
