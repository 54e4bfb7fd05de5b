"""Domains whose DMARC reports come here, and the rows of those reports, over HTTP. Blocking.

# ours: all fields; the vendor publishes the paths only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailvane.domain.names import mail_domain
from mailvane.domain.reputation import Asset, AssetKind, ObservationKind
from mailvane.storage.questions import ObservationQuestion
from mailvane.storage.reputation import ReportQuestion, RowQuestion
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import DomainsBody, recent, window
from mailvane.surfaces.http.emailconsul.watched import Watch
from mailvane.surfaces.http.endpoints import Asked
from mailvane.surfaces.http.services import ReputationServices


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.DmarcObject]:
    since, until = recent({}, asked.now)
    question = ObservationQuestion(
        workspace=asked.workspace,
        kind=ObservationKind.DMARC,
        since=since,
        until=until,
        assets={asset.name for asset in assets},
    )
    sums = services.observed.sums_by_asset(question, ("messages", "dmarc_fail"))
    known = {each.asset: each.sums for each in sums}
    return [
        shape.DmarcObject(
            **shape.watched(asset),
            domain=asset.name,
            p=asset.details.get("p"),
            sp=asset.details.get("sp"),
            rua=asset.details.get("rua", ()),
            messages=int(known.get(asset.name, {}).get("messages", 0)),
            dmarc_fail=int(known.get(asset.name, {}).get("dmarc_fail", 0)),
        )
        for asset in assets
    ]


DMARC_DOMAINS = Watch(AssetKind.DMARC, _shown, DomainsBody)


def catch_up_email(services: ReputationServices, _asked: Asked) -> Mapping[str, Any]:
    """The address that belongs into `rua=`."""
    return {"data": {"email": services.reports_address or None}}


def reports(services: ReputationServices, asked: Asked) -> shape.Page:
    """Aggregate reports, the newest first."""
    part = window(asked.query, ("-date_end",))
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


def rows_of_reports(services: ReputationServices, asked: Asked) -> shape.Page:
    """Rows of aggregate reports, those of the most messages first."""
    part = window(asked.query, ("-count",))
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
