"""Who sent by name of the service: sums over rows of aggregate reports, and what DNS says of addresses."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, case, distinct, func, select, update

from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.dmarc.model import HeardService, RowQuestion, SenderAddress, ServiceSummary
from mailvane.dmarc.readers.addresses import UNKNOWN
from mailvane.dmarc.sending_services import name_of_service, service_of_row
from mailvane.dmarc.store.tables import report_rows, reports, sender_addresses

_JOINED = report_rows.join(reports, report_rows.c.report == reports.c.id)
_MOST_SERVICES = 2000
_NOT_JUDGED = "?"
_AT_ONCE = 5000


class SenderStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def services(self, question: RowQuestion) -> list[ServiceSummary]:
        """Those that sent within the stretch, by domain, the most messages first."""
        self._judge_earlier()
        within = (reports.c.ends >= question.since) & (reports.c.ends < question.until)
        wanted: list[ColumnElement[bool]] = [reports.c.workspace == question.workspace]
        if question.domain is not None:
            wanted.append(reports.c.domain == plain(question.domain))
        messages = func.sum(case((within, report_rows.c.messages), else_=0))
        passed = func.sum(case((within & ~report_rows.c.failing, report_rows.c.messages), else_=0))
        addresses = func.count(distinct(case((within, report_rows.c.source_ip))))
        first, last = func.min(reports.c.begins), func.max(reports.c.ends)
        by_service = (reports.c.domain, report_rows.c.service)
        found = select(*by_service, first, last, messages, passed, addresses).select_from(_JOINED).where(*wanted)
        found = found.group_by(*by_service).having(func.max(case((within, 1), else_=0)) == 1)
        ordered = found.order_by(reports.c.domain, messages.desc(), report_rows.c.service).limit(_MOST_SERVICES)
        with self._database.read() as connection:
            return [
                ServiceSummary(
                    domain=domain, service=service, name=name_of_service(service), first_seen=begins, last_seen=ends,
                    messages=int(sent), passed=int(good), addresses=number,
                )
                for domain, service, begins, ends, sent, good, number in connection.execute(ordered)
            ]  # fmt: skip

    def heard(self, report_ids: Sequence[str]) -> list[HeardService]:
        """The known services of these reports' rows, by domain."""
        with self._database.read() as connection:
            return _heard(connection, reports.c.id.in_(report_ids))

    def first_seen(self, workspace: int, domain: str, service: str) -> int:
        """When the oldest report that is kept begins which tells of it; 0 for none."""
        self._judge_earlier()
        wanted = select(func.min(reports.c.begins)).select_from(_JOINED)
        wanted = wanted.where(
            reports.c.workspace == workspace, reports.c.domain == plain(domain), report_rows.c.service == service
        )
        with self._database.read() as connection:
            return connection.execute(wanted).scalar() or 0

    def unnamed(self, before: int, limit: int) -> list[str]:
        """Addresses of rows without a service that DNS was not asked about since then, those of most messages first."""
        self._judge_earlier()
        asked = select(sender_addresses.c.address).where(sender_addresses.c.asked_at >= before)
        wanted = select(report_rows.c.source_ip).where(
            report_rows.c.service == "", report_rows.c.source_ip.not_in(asked), report_rows.c.source_ip != UNKNOWN
        )
        ranked = wanted.group_by(report_rows.c.source_ip).order_by(func.sum(report_rows.c.messages).desc())
        with self._database.read() as connection:
            return list(connection.execute(ranked.limit(limit)).scalars())

    def keep_addresses(self, named: Sequence[SenderAddress]) -> list[HeardService]:
        """Keep what DNS said, and give it to the rows that have no service; what is known of their services now."""
        told: list[HeardService] = []
        with self._database.write() as connection:
            for each in named:
                row = {**msgspec.structs.asdict(each), "address": plain(each.address), "name": plain(each.name)}
                connection.execute(self._database.upsert(sender_addresses), row)
                if not each.service:
                    continue
                of_address = report_rows.c.source_ip == plain(each.address)
                unnamed = update(report_rows).where(of_address, report_rows.c.service == "")
                if connection.execute(unnamed.values(service=each.service)).rowcount:
                    told += _heard(connection, of_address & (report_rows.c.service == each.service))
        return told

    def _judge_earlier(self) -> None:
        """Rows that an earlier version kept get their service, by what they tell; once."""
        wanted = select(report_rows.c.report, report_rows.c.number, report_rows.c.data).limit(_AT_ONCE)
        wanted = wanted.where(report_rows.c.service == _NOT_JUDGED)
        one = (report_rows.c.report == bindparam("of"), report_rows.c.number == bindparam("at"))
        judged = update(report_rows).where(*one).values(service=bindparam("by"))
        while True:
            with self._database.read() as connection:
                found = connection.execute(wanted).all()
            if not found:
                return
            told = [
                {"of": row.report, "at": row.number, "by": service_of_row(msgspec.json.decode(row.data))}
                for row in found
            ]
            with self._database.write() as connection:
                connection.execute(judged, told)


def _heard(connection: Connection, chosen: ColumnElement[bool]) -> list[HeardService]:
    older = reports.alias("older")
    since = (
        select(func.min(older.c.begins))
        .where(older.c.workspace == reports.c.workspace, older.c.domain == reports.c.domain)
        .scalar_subquery()
    )
    named = (reports.c.workspace, reports.c.domain, report_rows.c.service)
    grouped = (
        select(*named, func.sum(report_rows.c.messages), since)
        .select_from(_JOINED)
        .where(chosen, report_rows.c.service != "")
    )
    return [
        HeardService(
            workspace=workspace, domain=domain, service=service, messages=int(messages), domain_since=oldest
        )
        for workspace, domain, service, messages, oldest in connection.execute(grouped.group_by(*named))
    ]  # fmt: skip
