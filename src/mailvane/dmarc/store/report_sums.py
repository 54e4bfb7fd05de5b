"""DMARC aggregate reports added up by the database: by domain who reported how much, by sender what passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select, tuple_

from mailvane.core.ledger.database import Database
from mailvane.core.ledger.documents import in_chunks
from mailvane.core.ledger.json_fields import JsonFields
from mailvane.dmarc.interface import DomainSummary, ReportSummary, RowQuestion, SenderSummary
from mailvane.dmarc.store.reports import rows_conditions
from mailvane.dmarc.store.tables import report_rows, reports

_SENDERS_AT_ONCE = 200
_JOINED = report_rows.join(reports, report_rows.c.report == reports.c.id)
_SENDER = (reports.c.domain, report_rows.c.source_ip)


class SqlReportSums:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._row_data = JsonFields(database, report_rows.c.data)

    def report_summary(self, question: RowQuestion, most_senders: int) -> ReportSummary:
        with self._database.read() as connection:
            return ReportSummary(
                domains=tuple(_domains(connection, question)),
                senders=tuple(self._senders(connection, question, most_senders)),
            )

    def _senders(self, connection: Connection, question: RowQuestion, most: int) -> list[SenderSummary]:
        """Those of the most messages first."""
        conditions = rows_conditions(question)
        messages = func.sum(report_rows.c.messages)
        wanted = select(
            *_SENDER,
            messages,
            self._aligned("dkim_aligned"),
            self._aligned("spf_aligned"),
            func.sum(case((report_rows.c.failing, 0), else_=report_rows.c.messages)),
        )
        wanted = wanted.select_from(_JOINED).where(*conditions).group_by(*_SENDER)
        ranked = connection.execute(wanted.order_by(messages.desc(), *_SENDER).limit(most)).all()
        places = [(domain, address) for domain, address, *_ in ranked]
        disposition = func.coalesce(func.nullif(self._row_data.text("disposition"), ""), "unknown")
        dispositions = _messages_by(connection, conditions, disposition, places)
        organisations = _messages_by(connection, conditions, reports.c.organisation, places)
        return [
            SenderSummary(
                domain=domain,
                source_ip=address,
                messages=int(total),
                dkim_aligned=int(dkim),
                spf_aligned=int(spf),
                passed=int(passed),
                dispositions=dict(dispositions[domain, address]),
                organisations=tuple(name for name, _ in organisations[domain, address]),
            )
            for domain, address, total, dkim, spf, passed in ranked
        ]

    def _aligned(self, name: str) -> ColumnElement[int]:
        return func.sum(case((self._row_data.flag(name), report_rows.c.messages), else_=0))


def _messages_by(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    value: ColumnElement[str],
    senders: Sequence[tuple[str, str]],
) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """How many messages of these senders have each value, the most first."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {sender: [] for sender in senders}
    messages = func.sum(report_rows.c.messages)
    named = value.label("value")
    for chunk in in_chunks(senders, _SENDERS_AT_ONCE):
        chosen = select(*_SENDER, named, messages).select_from(_JOINED).where(*conditions, tuple_(*_SENDER).in_(chunk))
        rows = connection.execute(chosen.group_by(*_SENDER, named).order_by(messages.desc(), named))
        for domain, address, told, count in rows:
            found[domain, address].append((told, int(count)))
    return found


def _domains(connection: Connection, question: RowQuestion) -> list[DomainSummary]:
    """By name; of all reports of that time, whichever rows are asked about."""
    conditions = rows_conditions(msgspec.structs.replace(question, source_ip=None, failing_only=False))
    messages = func.sum(reports.c.messages)
    by_organisation = select(reports.c.domain, reports.c.organisation, func.count(), messages).where(*conditions)
    rows = connection.execute(
        by_organisation.group_by(reports.c.domain, reports.c.organisation).order_by(
            reports.c.domain, messages.desc(), reports.c.organisation
        )
    )
    found: dict[str, list[tuple[str, int, int]]] = {}
    for domain, organisation, count, total in rows:
        found.setdefault(domain, []).append((organisation, count, int(total)))
    return [
        DomainSummary(
            domain=domain,
            reports=sum(count for _, count, _ in told),
            organisations=tuple(organisation for organisation, _, _ in told),
            messages=sum(total for _, _, total in told),
            policy=_newest_policy(connection, [*conditions, reports.c.domain == domain]),
        )
        for domain, told in found.items()
    ]


def _newest_policy(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> str:
    newest = select(reports.c.head).where(*conditions).order_by(reports.c.ends.desc(), reports.c.id).limit(1)
    head: dict[str, Any] = msgspec.json.decode(connection.execute(newest).scalar_one())
    published = head.get("policy")
    return str(published.get("p") or "") if isinstance(published, dict) else ""
