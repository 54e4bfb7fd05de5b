"""Reports about one's mail in the ledger: aggregate reports with their rows and sums, pages of TLS and abuse reports.

TLS and abuse reports are observations: what is filtered and summed stands in their JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, insert, select, tuple_, update

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.ledger.columns import JsonFields, in_chunks, plain, text_of
from mailvane.core.ledger.database import Database
from mailvane.dmarc.counts import counts_of_rows
from mailvane.dmarc.model import (
    AbuseDomain,
    AbusePage,
    AggregatePage,
    AggregateReport,
    DomainSummary,
    ReportPart,
    ReportQuestion,
    ReportSummary,
    RowQuestion,
    SenderSummary,
    TlsDomain,
    TlsPage,
)
from mailvane.dmarc.sending_services import service_of_row
from mailvane.dmarc.store.tables import report_rows, reports, sender_addresses
from mailvane.reputation.model import ObservationKind
from mailvane.reputation.store.observations import observation_of
from mailvane.reputation.store.tables import observations

MOST_PARTS = 100  # other files of one report whose rows are counted
_AT_ONCE = 2000
_MOST_DOMAINS = 1000
_SENDERS_AT_ONCE = 200
_JOINED = report_rows.join(reports, report_rows.c.report == reports.c.id)
_SENDER = (reports.c.domain, report_rows.c.source_ip)


class ReportStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._observation_database = database
        self._observation_data = JsonFields(database, observations.c.data)
        self._row_data = JsonFields(database, report_rows.c.data)

    def add_report(self, workspace: int, report: AggregateReport, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Keep a report with its rows, in memory a few at a time; False when it is known already."""
        with self._observation_database.write() as connection:
            new = self._observation_database.insert(reports).values(_row(workspace, report)).on_conflict_do_nothing()
            if connection.execute(new.returning(reports.c.id)).first() is None:
                return False
            _add_rows(connection, report.id, 0, rows)
        return True

    def same_report(self, workspace: int, report: AggregateReport) -> AggregateReport | None:
        """The one that is kept of the same identity."""
        with self._observation_database.read() as connection:
            found = connection.execute(_of_identity(workspace, report)).first()
        return None if found is None else _report(found)

    def add_part(self, workspace: int, report: AggregateReport, rows: Iterable[Mapping[str, Any]]) -> ReportPart:
        """Keep the rows of one more file of a report that is known, as far as they are not kept.

        A row is known by all that it says but its count: a file that corrects numbers is not added to what it corrects.
        The same file finds its own part again, so whoever was stopped behind this may go on. `rows` is read twice.
        """
        digest = _digest_of(rows)
        with self._observation_database.write() as connection:
            found = connection.execute(_of_identity(workspace, report).with_for_update()).one()
            before = _report(found)
            parts = msgspec.convert(before.head.get("parts", ()), prepared(tuple[ReportPart, ...]))
            same = next((part for part in parts if part.digest == digest), None)
            if same is not None:
                return same
            new, recounted = _unknown_rows(connection, before.id, rows)
            counts = counts_of_rows(new)
            part = ReportPart(digest=digest, counts=counts, rows=len(new), recounted=recounted)
            if new:
                if len(parts) >= MOST_PARTS:
                    raise InvalidInput(f"more than {MOST_PARTS} other files of this report were counted")
                number: int = connection.execute(_next_number(before.id)).scalar_one()
                _add_rows(connection, before.id, number, new)
                head = {**before.head, "parts": msgspec.to_builtins((*parts, part))}
                changes = {"rows": number + len(new), "messages": before.messages + counts.messages}
                changed = update(reports).where(reports.c.id == before.id)
                connection.execute(changed.values(**changes, head=text_of(head)))
        return part

    def reports(self, workspace: int, since: int, until: int, domain: str | None = None) -> list[AggregateReport]:
        """Those that end from `since` to before `until`, the newest first."""
        wanted = select(reports).where(*_of_time(workspace, since, until, domain))
        with self._observation_database.read() as connection:
            return [_report(row) for row in connection.execute(wanted.order_by(reports.c.ends.desc(), reports.c.id))]

    def report_page(self, question: ReportQuestion) -> AggregatePage:
        """Aggregate reports by the end of their range."""
        wanted = _of_time(question.workspace, question.since, question.until, question.domain)
        page = select(reports).where(*wanted).order_by(reports.c.ends.desc(), reports.c.id)
        with self._observation_database.read() as connection:
            total = connection.execute(select(func.count()).select_from(reports).where(*wanted)).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return AggregatePage(total, [_report(row) for row in rows])

    def report_rows(self, question: RowQuestion) -> tuple[int, list[Mapping[str, Any]]]:
        """How many there are, and a page of them, as parsed, by count of messages."""
        wanted = rows_conditions(question)
        joined = report_rows.join(reports, report_rows.c.report == reports.c.id)
        counted = select(func.count()).select_from(joined).where(*wanted)
        page = (
            select(report_rows.c.data, reports.c.organisation, reports.c.report_id, reports.c.domain)
            .select_from(joined)
            .where(*wanted)
            .order_by(report_rows.c.messages.desc(), report_rows.c.report, report_rows.c.number)
        )
        with self._observation_database.read() as connection:
            total = connection.execute(counted).scalar_one()
            rows = connection.execute(page.offset(question.offset).limit(question.limit))
            return total, [_shown(row) for row in rows]

    def tls_reports(self, question: ReportQuestion) -> TlsPage:
        """What TLS reports (RFC 8460) say; the end of a report's range decides the time."""
        succeeded, failed = self._observation_data.integer("succeeded"), self._observation_data.integer("failed")
        wanted = _chosen(question, ObservationKind.TLS)
        if question.failing_only:
            wanted.append(failed > 0)
        sums = select(observations.c.asset, func.count(), func.sum(succeeded), func.sum(failed)).where(*wanted)
        ranked = sums.group_by(observations.c.asset).order_by(func.sum(failed).desc(), observations.c.asset)
        with self._observation_database.read() as connection:
            domains = [
                TlsDomain(domain=domain, reports=reports, succeeded=int(good), failed=int(bad))
                for domain, reports, good, bad in connection.execute(ranked.limit(_MOST_DOMAINS))
            ]
            return TlsPage(_total(connection, wanted), domains, _page(connection, wanted, question))

    def abuse_reports(self, question: ReportQuestion) -> AbusePage:
        """Complaints (RFC 5965) and authentication failures (RFC 6591); the arrival of their mail decides the time."""
        feedback_type = self._observation_data.text("feedback_type")
        wanted = _chosen(question, ObservationKind.FAILURE)
        if question.feedback_type is not None:
            wanted.append(feedback_type == plain(question.feedback_type))
        counts = select(observations.c.asset, feedback_type, func.count()).where(*wanted)
        ranked = counts.group_by(observations.c.asset, feedback_type).order_by(
            func.count().desc(), observations.c.asset, feedback_type
        )
        with self._observation_database.read() as connection:
            domains = [
                AbuseDomain(domain=domain, feedback_type=kind or "", reports=reports)
                for domain, kind, reports in connection.execute(ranked.limit(_MOST_DOMAINS))
            ]
            return AbusePage(_total(connection, wanted), domains, _page(connection, wanted, question))

    def report_summary(self, question: RowQuestion, most_senders: int) -> ReportSummary:
        """Of all rows that the question is about; its offset and limit do not matter."""
        with self._observation_database.read() as connection:
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


def _add_rows(connection: Connection, report: str, number: int, rows: Iterable[Mapping[str, Any]]) -> None:
    for chunk in in_chunks(rows, _AT_ONCE):
        named = _services_of(connection, {plain(str(each.get("source_ip", ""))) for each in chunk})
        connection.execute(
            insert(report_rows),
            [
                {
                    "report": report,
                    "number": number + place,
                    "source_ip": plain(str(each.get("source_ip", ""))),
                    "messages": int(each.get("count", 0)),
                    "failing": each.get("dkim_aligned") is not True and each.get("spf_aligned") is not True,
                    "service": service_of_row(each) or named.get(plain(str(each.get("source_ip", ""))), ""),
                    "data": text_of(each),
                }
                for place, each in enumerate(chunk)
            ],
        )
        number += len(chunk)


def _services_of(connection: Connection, addresses: set[str]) -> dict[str, str]:
    """What DNS said of them before."""
    found: dict[str, str] = {}
    for some in in_chunks(sorted(addresses), _SENDERS_AT_ONCE):
        known = select(sender_addresses.c.address, sender_addresses.c.service)
        rows = connection.execute(known.where(sender_addresses.c.address.in_(some)))
        found |= {row.address: row.service for row in rows}
    return found


def _unknown_rows(
    connection: Connection, report: str, rows: Iterable[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], int]:
    """Those that are not kept of this report, and how many are kept with another count."""
    kept: dict[bytes, set[int]] = {}
    stored = select(report_rows.c.data, report_rows.c.messages).where(report_rows.c.report == report)
    for data, messages in connection.execution_options(yield_per=_AT_ONCE).execute(stored):
        kept.setdefault(_row_key(msgspec.json.decode(data)), set()).add(messages)
    new, recounted = [], 0
    for row in rows:
        known = kept.get(_row_key(row))
        if known is None:
            new.append(row)
        else:
            recounted += int(row.get("count", 0)) not in known
    return new, recounted


def _row_key(row: Mapping[str, Any]) -> bytes:
    """Of all that a row says but how many messages it is about."""
    said = text_of({name: value for name, value in row.items() if name != "count"})
    return hashlib.sha256(said.encode()).digest()[:16]


def _digest_of(rows: Iterable[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(text_of(row).encode() + b"\n")
    return digest.hexdigest()[:32]


def _of_identity(workspace: int, report: AggregateReport) -> Select[Any]:
    row = _row(workspace, report)
    identity = ("workspace", "organisation", "report_id", "domain", "begins", "ends")
    return select(reports).where(*(reports.c[name] == row[name] for name in identity))


def _next_number(report: str) -> Select[Any]:
    return select(func.coalesce(func.max(report_rows.c.number) + 1, 0)).where(report_rows.c.report == report)


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


def _report(row: Row[Any]) -> AggregateReport:
    known = row._asdict()
    del known["workspace"]
    return AggregateReport(**{**known, "head": msgspec.json.decode(row.head)})


def _shown(row: Row[Any, Any, Any, Any]) -> Mapping[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(row.data)
    return {"organisation": row.organisation, "report_id": row.report_id, "domain": row.domain, **data}


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
        for domain, address, result, count in rows:
            found[domain, address].append((result, int(count)))
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
            reports=sum(count for _, count, _ in counts),
            organisations=tuple(organisation for organisation, _, _ in counts),
            messages=sum(total for _, _, total in counts),
            policy=_newest_policy(connection, [*conditions, reports.c.domain == domain]),
        )
        for domain, counts in found.items()
    ]


def _newest_policy(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> str:
    newest = select(reports.c.head).where(*conditions).order_by(reports.c.ends.desc(), reports.c.id).limit(1)
    head: dict[str, Any] = msgspec.json.decode(connection.execute(newest).scalar_one())
    published = head.get("policy")
    return str(published.get("p") or "") if isinstance(published, dict) else ""
