"""A session of the embedded engine for questions about text that is not stored: temporary tables, which end with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from clickhouse_connect.driver.client import Client

from mailvane.core.memory_files import memory_file
from mailvane.maillog.clickhouse.engine import Engine, client_in_memory, quoted, translated
from mailvane.maillog.clickhouse.rows import encode_events
from mailvane.maillog.model import MailEvent

# One thread each: whoever asks has as many sessions as there are processors. What costs more than it saves on
# statements that run once for a few megabytes is off: compiling them, improving their plans, reordering joins.
_SETTINGS = {
    "max_threads": 1,
    "max_block_size": 16_384,
    "join_use_nulls": 0,
    "max_query_size": 100_000_000,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
    "query_plan_optimize_join_order_limit": 0,
    "enable_join_runtime_filters": 0,
    "use_query_condition_cache": 0,
    "log_queries": 0,
    "query_plan_enable_optimizations": 0,
    "output_format_json_quote_64bit_integers": 0,
}


class ScratchSession:
    """Of one thread at a time."""

    def __init__(self, client: Client, *, stores: bool) -> None:
        self._client = client
        self.stores = stores
        """Whether it is one of the mail log's own engine."""
        with translated():
            client.command("SET " + ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items()))

    def run(self, statement: str) -> None:
        """Raises StoreUnavailable, MailvaneError."""
        with translated():
            self._client.command(statement)

    def ask(self, question: str, form: str = "JSONCompactEachRow") -> bytes:
        """The answer, in a format of the engine. Raises StoreUnavailable, MailvaneError."""
        with translated():
            return self._client.raw_query(question, fmt=form)

    def fill(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Put rows into a temporary table, in the order of its columns."""
        if not rows:
            return
        self._fill_from(table, (msgspec.json.Encoder().encode_lines(rows),))

    def fill_events(self, table: str, events: list[MailEvent]) -> None:
        """Put events into a temporary table that has the fields of `MailEvent` for columns."""
        if not events:
            return
        self._fill_from(table, (encode_events(events),))

    def _fill_from(self, table: str, rows: Iterable[bytes]) -> None:
        with memory_file(rows) as path:
            self.run(f"INSERT INTO {table} FROM INFILE {quoted(path)} FORMAT JSONCompactEachRow")

    def insert(
        self, source: str, table: str, constants: Mapping[str, int], columns: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        """Store columns of a temporary table in one of the mail log, as one block, each row with these constants."""
        names = ", ".join(f"`{name}`" for name in (*constants, *columns))
        taken = ", ".join((*map(str, constants.values()), *(f"`{name}`" for name in columns)))
        # Nobody else may have anything to do; views are filled side by side.
        chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in {**settings, "max_threads": "2"}.items())
        self.run(f"INSERT INTO {table} ({names}) SELECT {taken} FROM {source} SETTINGS {chosen}")

    def close(self) -> None:
        self._client.close()


def scratch_session(engine: Engine) -> ScratchSession:
    """One of the embedded engine, which has as many as are asked for; beside a server, of one that stores nothing."""
    return ScratchSession(engine.session(), stores=True) if engine.embedded else scratch_in_memory()


def scratch_in_memory() -> ScratchSession:
    """Of an embedded engine that stores nothing, in a process that has no other."""
    return ScratchSession(client_in_memory(), stores=False)
