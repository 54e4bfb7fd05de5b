"""What the mail log was made of, kept in the ledger."""

from __future__ import annotations

import msgspec
from sqlalchemy import select, update

from mailvane.core.decoding import prepared
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import maillog_record
from mailvane.maillog.inventory import KeptRecord, Record

_ONE = 1
_NOTHING = KeptRecord(0, 0, Record())


class MailLogRecordStore:
    """One row, for any number of nodes on one mail log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def maillog_record(self) -> KeptRecord:
        """The newest."""
        with self._database.read() as connection:
            row = connection.execute(select(maillog_record)).first()
        if row is None:
            return _NOTHING
        return KeptRecord(row.revision, row.changing_until, msgspec.json.decode(row.document, type=prepared(Record)))

    def keep_maillog_record(self, kept: KeptRecord) -> bool:
        """Replace the revision that this one was made of; False when another did so before."""
        values = {
            "revision": kept.revision + 1,
            "changing_until": kept.changing_until,
            "document": msgspec.json.encode(kept.record).decode(),
        }
        with self._database.write() as connection:
            if kept.revision:
                unchanged = maillog_record.c.revision == kept.revision
                return bool(connection.execute(update(maillog_record).where(unchanged).values(values)).rowcount)
            statement = self._database.insert(maillog_record).values(id=_ONE, **values).on_conflict_do_nothing()
            return bool(connection.execute(statement).rowcount)
