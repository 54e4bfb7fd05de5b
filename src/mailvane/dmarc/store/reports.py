"""DMARC aggregate reports in the ledger. Implements `Reports` of the storage layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, insert, select

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks, plain, text_of
from mailvane.dmarc.interface import AggregatePage, AggregateReport, ReportQuestion, RowQuestion
from mailvane.dmarc.store.tables import report_rows, reports

_AT_ONCE = 2000


class SqlReports:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_report(self, workspace: int, report: AggregateReport, rows: Iterable[Mapping[str, Any]]) -> bool:
        with self._database.write() as connection:
            new = self._database.insert(reports).values(_row(workspace, report)).on_conflict_do_nothing()
            if connection.execute(new.returning(reports.c.id)).first() is None:
                return False
            number = 0
            for chunk in in_chunks(rows, _AT_ONCE):
                connection.execute(
                    insert(report_rows), [_line(report.id, number + place, each) for place, each in enumerate(chunk)]
                )
                number += len(chunk)
        return True

    def same_report(self, workspace: int, report: AggregateReport) -> AggregateReport | None:
        row = _row(workspace, report)
        identity = ("workspace", "organisation", "report_id", "domain", "begins", "ends")
        wanted = select(reports).where(*(reports.c[name] == row[name] for name in identity))
        with self._database.read() as connection:
            found = connection.execute(wanted).first()
        return None if found is None else _report(found)

    def reports(self, workspace: int, since: int, until: int, domain: str | None = None) -> list[AggregateReport]:
        wanted = select(reports).where(*_of_time(workspace, since, until, domain))
        with self._database.read() as connection:
            return [_report(row) for row in connection.execute(wanted.order_by(reports.c.ends.desc(), reports.c.id))]

    def report_page(self, question: ReportQuestion) -> AggregatePage:
        wanted = _of_time(question.workspace, question.since, question.until, question.domain)
        page = select(reports).where(*wanted).order_by(reports.c.ends.desc(), reports.c.id)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(reports).where(*wanted)).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return AggregatePage(total, [_report(row) for row in rows])

    def report_rows(self, question: RowQuestion) -> tuple[int, list[Mapping[str, Any]]]:
        wanted = rows_conditions(question)
        joined = report_rows.join(reports, report_rows.c.report == reports.c.id)
        counted = select(func.count()).select_from(joined).where(*wanted)
        page = (
            select(report_rows.c.data, reports.c.organisation, reports.c.report_id, reports.c.domain)
            .select_from(joined)
            .where(*wanted)
            .order_by(report_rows.c.messages.desc(), report_rows.c.report, report_rows.c.number)
        )
        with self._database.read() as connection:
            total = connection.execute(counted).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return total, [_shown(row) for row in rows]


def rows_conditions(question: RowQuestion) -> list[ColumnElement[bool]]:
    """Of rows joined with their reports."""
    chosen = _of_time(question.workspace, question.since, question.until, question.domain)
    if question.source_ip is not None:
        chosen.append(report_rows.c.source_ip == plain(question.source_ip))
    if question.failing_only:
        chosen.append(report_rows.c.failing)
    return chosen


def _of_time(workspace: int, since: int, until: int, domain: str | None) -> list[ColumnElement[bool]]:
    chosen = [reports.c.workspace == workspace, reports.c.ends >= since, reports.c.ends < until]
    if domain is not None:
        chosen.append(reports.c.domain == plain(domain))
    return chosen


def _row(workspace: int, report: AggregateReport) -> dict[str, Any]:
    row = msgspec.structs.asdict(report)
    for name in ("organisation", "report_id", "domain"):
        row[name] = plain(row[name])
    return {**row, "workspace": workspace, "head": text_of(report.head)}


def _line(report: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "report": report,
        "number": number,
        "source_ip": plain(str(row.get("source_ip", ""))),
        "messages": int(row.get("count", 0)),
        "failing": row.get("dkim_aligned") is not True and row.get("spf_aligned") is not True,
        "data": text_of(row),
    }


def _report(row: Row[Any]) -> AggregateReport:
    known = row._asdict()
    del known["workspace"]
    return AggregateReport(**{**known, "head": msgspec.json.decode(row.head)})


def _shown(row: Row[Any, Any, Any, Any]) -> Mapping[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(row.data)
    return {"organisation": row.organisation, "report_id": row.report_id, "domain": row.domain, **data}
