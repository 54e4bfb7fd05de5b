"""DMARC aggregate reports, their rows, and the address that they come to, over HTTP. Blocking.

# ours: all fields; the vendor publishes the paths only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mailvane.core.names import mail_domain
from mailvane.dmarc.model import ReportQuestion, RowQuestion
from mailvane.dmarc.services import DmarcServices
from mailvane.reputation.emailconsul import queries, shape
from mailvane.reputation.emailconsul.parameters import recent, window
from mailvane.web.endpoints import Asked, Endpoint, RouteTable


def catch_up_email(services: DmarcServices, _asked: Asked) -> Mapping[str, Any]:
    """The address that belongs into `rua=`."""
    return {"data": {"email": services.reports_address or None}}


def reports(services: DmarcServices, asked: Asked) -> shape.Page:
    """Aggregate reports, the newest first."""
    part = window(asked.query, queries.REPORT_ORDERS)
    since, until = recent(asked.query, asked.now)
    found = services.reports.report_page(
        ReportQuestion(
            workspace=asked.workspace,
            since=since,
            until=until,
            domain=mail_domain(asked.query.get("domain", "")) or None,
            offset=part.offset,
            limit=part.limit,
        )
    )
    rows = [
        {
            "id": one.id,
            "org_name": one.organisation,
            "report_id": one.report_id,
            "domain": one.domain,
            "date_begin": shape.date(one.begins),
            "date_end": shape.date(one.ends),
            "messages": one.messages,
            "rows": one.rows,
        }
        for one in found.reports
    ]
    return shape.page(rows, found.total, part)


def rows_of_reports(services: DmarcServices, asked: Asked) -> shape.Page:
    """Rows of aggregate reports, those of the most messages first."""
    part = window(asked.query, queries.ROW_ORDERS)
    since, until = recent(asked.query, asked.now)
    question = RowQuestion(
        workspace=asked.workspace,
        since=since,
        until=until,
        domain=mail_domain(asked.query.get("domain", "")) or None,
        source_ip=asked.query.get("source_ip") or None,
        failing_only=asked.query.get("failing", "").lower() in {"true", "1"},
        offset=part.offset,
        limit=part.limit,
    )
    total, found = services.reports.report_rows(question)
    return shape.page(found, total, part)


def _endpoints() -> Iterator[Endpoint]:
    path = "/dmarc"
    yield Endpoint(
        "get", f"{path}/catch_up_email", "dmarc_catch_up_email", "The address for `rua=`", catch_up_email,
        dict[str, Any],
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/reports", "dmarc_reports", "Aggregate reports", reports, shape.Page,
        query=queries.DMARC_REPORTS,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/rows", "dmarc_rows", "Rows of the reports", rows_of_reports, shape.Page,
        query=queries.DMARC_ROWS,
    )  # fmt: skip


ROUTES = RouteTable([*_endpoints()], DmarcServices, shape.DIALECT, ("EmailConsul",), shape.PREFIX)
