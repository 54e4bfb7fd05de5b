"""Reports that wait for their mail, in the ledger, each with when it is looked for again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, delete, select, update

from mailvane.core.decoding import prepared
from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.dmarc.joining import Unjoined
from mailvane.dmarc.store.tables import unjoined_reports
from mailvane.maillog.complaints import Complaint
from mailvane.reputation.model import ObservationKind
from mailvane.reputation.store.tables import observations

_OWN = unjoined_reports.c


class UnjoinedStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, report: Unjoined, due_at: int) -> None:
        """Keep it durably; one that is there already stays as it is."""
        row = {
            "workspace": report.workspace,
            "digest": plain(report.digest),
            "due_at": due_at,
            "tries": 0,
            "document": text_of(report),
        }
        with self._database.write() as connection:
            connection.execute(self._database.insert(unjoined_reports).on_conflict_do_nothing(), row)

    def due(self, now: int, limit: int) -> Sequence[tuple[Unjoined, int]]:
        """Those that are due, the first first, each with how often it was looked for."""
        wanted = select(_OWN.document, _OWN.tries).where(_OWN.due_at <= now)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(_OWN.due_at, _OWN.workspace, _OWN.digest).limit(limit))
            return [(value_of(document, Unjoined), tries) for document, tries in rows]

    def put_off(self, report: Unjoined, due_at: int) -> None:
        later = update(unjoined_reports).where(_is(report)).values(due_at=due_at, tries=_OWN.tries + 1)
        with self._database.write() as connection:
            connection.execute(later)

    def hasten(self, now: int) -> None:
        """Look for all of them now: mail of days ago has come."""
        with self._database.write() as connection:
            connection.execute(update(unjoined_reports).where(_OWN.due_at > now).values(due_at=now))

    def forget(self, report: Unjoined) -> None:
        with self._database.write() as connection:
            connection.execute(delete(unjoined_reports).where(_is(report)))

    def join(self, report: Unjoined, became: Complaint) -> None:
        """The report is kept with what became of it, and waits no more."""
        known = (
            (observations.c.workspace == report.workspace)
            & (observations.c.kind == ObservationKind.FAILURE)
            & (observations.c.asset == plain(report.domain))
            & (observations.c.key == plain(report.digest))
        )
        with self._database.write() as connection:
            for at, text in connection.execute(select(observations.c.at, observations.c.data).where(known)).all():
                data = msgspec.json.decode(text, type=prepared(dict))
                told = text_of({**data, "complaint": msgspec.to_builtins(became)})
                connection.execute(update(observations).where(known, observations.c.at == at).values(data=told))
            connection.execute(delete(unjoined_reports).where(_is(report)))


def _is(report: Unjoined) -> ColumnElement[bool]:
    return (_OWN.workspace == report.workspace) & (_OWN.digest == plain(report.digest))
