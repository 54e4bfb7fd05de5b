"""Pages of TLS and abuse reports, with sums, out of the ledger's observations. Part of `Reports` of the storage layer.

What is filtered and summed stands in the JSON of an observation; both engines read numbers and texts out of it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import plain
from mailvane.core.ledger.json_fields import JsonFields
from mailvane.dmarc.interface import AbuseDomain, AbusePage, ReportQuestion, TlsDomain, TlsPage
from mailvane.reputation.model import ObservationKind
from mailvane.reputation.store.observations import observation_of
from mailvane.reputation.store.tables import observations

_MOST_DOMAINS = 1000


class SqlReportPages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._data = JsonFields(database, observations.c.data)

    def tls_reports(self, question: ReportQuestion) -> TlsPage:
        succeeded, failed = self._data.integer("succeeded"), self._data.integer("failed")
        wanted = _chosen(question, ObservationKind.TLS)
        if question.failing_only:
            wanted.append(failed > 0)
        sums = select(observations.c.asset, func.count(), func.sum(succeeded), func.sum(failed)).where(*wanted)
        ranked = sums.group_by(observations.c.asset).order_by(func.sum(failed).desc(), observations.c.asset)
        with self._database.read() as connection:
            domains = [
                TlsDomain(domain=domain, reports=reports, succeeded=int(good), failed=int(bad))
                for domain, reports, good, bad in connection.execute(ranked.limit(_MOST_DOMAINS))
            ]
            return TlsPage(_total(connection, wanted), domains, _page(connection, wanted, question))

    def abuse_reports(self, question: ReportQuestion) -> AbusePage:
        told = self._data.text("feedback_type")
        wanted = _chosen(question, ObservationKind.FAILURE)
        if question.feedback_type is not None:
            wanted.append(told == plain(question.feedback_type))
        counts = select(observations.c.asset, told, func.count()).where(*wanted)
        ranked = counts.group_by(observations.c.asset, told).order_by(func.count().desc(), observations.c.asset, told)
        with self._database.read() as connection:
            domains = [
                AbuseDomain(domain=domain, feedback_type=kind or "", reports=reports)
                for domain, kind, reports in connection.execute(ranked.limit(_MOST_DOMAINS))
            ]
            return AbusePage(_total(connection, wanted), domains, _page(connection, wanted, question))


def _chosen(question: ReportQuestion, kind: ObservationKind) -> list[ColumnElement[bool]]:
    chosen = [
        observations.c.workspace == question.workspace,
        observations.c.kind == kind,
        observations.c.at >= question.since,
        observations.c.at < question.until,
    ]
    if question.domain is not None:
        chosen.append(observations.c.asset == plain(question.domain))
    return chosen


def _total(connection: Connection, wanted: list[ColumnElement[bool]]) -> int:
    return connection.execute(select(func.count()).select_from(observations).where(*wanted)).scalar_one()


def _page(connection: Connection, wanted: list[ColumnElement[bool]], question: ReportQuestion) -> list[Any]:
    newest = select(observations).where(*wanted)
    ordered = newest.order_by(observations.c.at.desc(), observations.c.asset, observations.c.key)
    return [observation_of(row) for row in connection.execute(ordered.offset(question.offset).limit(question.limit))]
