"""The paths of outbound governance in Mailvane's own interface, a row each."""

from __future__ import annotations

from mailvane.outbound.api import governed, holds, limits, suppressions
from mailvane.outbound.holds import Hold
from mailvane.outbound.model import BillingPeriod
from mailvane.outbound.send_limits import LimitStanding
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.suppression_list import SuppressionImport, SuppressionStanding, SuppressionSummary
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, Pool, RouteTable

_SUPPRESSED = "/suppressions/{address:str}"
_HOLD = "/holds/{kind:str}/{name:str}"
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
    Endpoint(
        "get", "/suppressions", "suppressions", "Recipients that mail is not to go to, by address", suppressions.listed,
        list[SuppressionStanding],
        query=(suppressions.AFTER, suppressions.REASON, suppressions.EXPIRED, suppressions.LIMIT),
    ),
    Endpoint(
        "get", "/suppressions/summary", "suppressions_summary", "The list in numbers, and who was spared",
        suppressions.summary, SuppressionSummary, pool=Pool.LENGTHY,
    ),
    Endpoint(
        "get", "/suppressions/export", "suppressions_export", "The list as CSV, up to 100,000 rows",
        suppressions.export, str, query=(suppressions.AFTER, suppressions.EXPIRED), answer_type="text/csv",
        pool=Pool.LENGTHY,
    ),
    Endpoint(
        "post", "/suppressions/import", "suppressions_import",
        "Bring in CSV: a column address or email, and reason, noticed_at, expires_at, note", suppressions.bring_in,
        SuppressionImport, str, media_type="text/csv", largest=suppressions.LARGEST_FILE, pool=Pool.LENGTHY,
    ),
    Endpoint(
        "get", _SUPPRESSED, "suppressions_show", "Why mail is not to go to an address", suppressions.show,
        list[SuppressionStanding],
    ),
    Endpoint(
        "put", _SUPPRESSED, "suppressions_put", "Put an address on the list", suppressions.put, SuppressionStanding,
        suppressions.SuppressionBody,
    ),
    Endpoint(
        "delete", _SUPPRESSED, "suppressions_remove", "Let mail go there again", suppressions.remove, None,
        query=(suppressions.REASON,),
    ),
    Endpoint("get", "/holds", "holds", "Domains and logins on hold", holds.listed, list[Hold]),
    Endpoint("put", _HOLD, "holds_put", "Hold mail of a domain or login", holds.put, Hold, holds.HoldBody),
    Endpoint(
        "delete", _HOLD, "holds_release", "Let new mail pass again, and say how held mail is let go", holds.release,
        holds.HoldReleased, status=200,
    ),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, OutboundServices, NATIVE, ("Native",), NATIVE_PREFIX, clients=True)
