"""What a mail log is made of: quickly, from the engine's lists, or thoroughly, by reading everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.rows import FOR_EVER
from mailvane.maillog.clickhouse.schema import feeds, month_of
from mailvane.maillog.inventory import EVENTS, Part, TableParts
from mailvane.maillog.queries import MailLogHealth

_PARTS = """
SELECT table, partition_id, min_block_number, max_block_number, rows, bytes_on_disk,
    if(empty(rows_where_ttl_info.min), 0, toUnixTimestamp(arrayMin(rows_where_ttl_info.min))),
    if(empty(rows_where_ttl_info.max), 0, toUnixTimestamp(arrayMax(rows_where_ttl_info.max)))
FROM system.parts
WHERE active AND rows > 0 AND database = currentDatabase() AND table IN ({tables})
ORDER BY table, partition_id, min_block_number
"""
_TABLES = (EVENTS, *feeds())
_LISTED = ", ".join(f"'{table}'" for table in _TABLES)
_ROUNDS = 3  # of counting: events that come in meanwhile are counted on one side only
_KEPT = f"(keep_days = {FOR_EVER} OR {{0}} + keep_days * 86400000 > toUnixTimestamp(now()) * 1000{{1}})"
_DAY = " + 86400000"  # what is about to expire may be gone from the one and not yet from the other


class _Measure(NamedTuple):
    """What is counted of a view, and of the same question to the events."""

    key: str
    sums: str = "0"  # of a row
    having: str = "1"
    moment: str = "accepted_at"


_MAIL = "workspace, relay, accepted_at, number"
_MEASURES = {
    "deliveries": _Measure(f"{_MAIL}, recipient", "attempts"),
    "reactions": _Measure(f"{_MAIL}, recipient"),
    "mails": _Measure(_MAIL),
    "engagement": _Measure(_MAIL),
    "received": _Measure("workspace, domain, address, relay, day", "received", moment="day"),
    "waiting": _Measure(_MAIL, "waiting", "sums > 0"),
    "queue_ids": _Measure(f"{_MAIL}, name"),
    "message_ids": _Measure(f"{_MAIL}, name"),
    "hourly": _Measure("workspace, relay, hour", "delivered + deferred + bounced + rejected", moment="hour"),
}


def take(engine: Engine) -> dict[str, TableParts]:
    """Every table with the parts that hold something."""
    made = engine.rows(
        f"SELECT name, toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name IN ({_LISTED})"
    )
    parts: dict[str, list[Part]] = {str(name): [] for name, _ in made}
    for table, partition, *numbers in engine.rows(_PARTS.format(tables=_LISTED)):
        parts.setdefault(str(table), []).append(Part(str(partition), *(int(str(number)) for number in numbers)))
    return {str(name): TableParts(str(uuid), tuple(parts[str(name)])) for name, uuid in made}


def is_changing(engine: Engine) -> bool:
    """Whether rows are being rewritten: when they expire is not known until that is done."""
    return bool(
        engine.rows("SELECT 1 FROM system.mutations WHERE database = currentDatabase() AND NOT is_done LIMIT 1")
    )


def verify(engine: Engine) -> list[str]:
    """Read all of it: what is broken, and which views lack something that the events have."""
    found = [
        f"{table}: {problem}"
        for table in _TABLES
        for problem in [f"part {part} is broken: {message[:300]}" for part, message in _unreadable(engine, table)]
    ]
    if not found:  # counting stops at what cannot be read
        found = [f"{table}: {problem}" for table, feed in feeds().items() for problem in _lacking(engine, table, feed)]
    return found


def set_aside_broken(engine: Engine) -> None:
    """Take the events that cannot be read out of the table; the files stay, in its directory `detached`."""
    for part, _ in _unreadable(engine, EVENTS):
        engine.command(f"ALTER TABLE {EVENTS} DETACH PART '{part}'")


def _unreadable(engine: Engine, table: str) -> list[tuple[str, str]]:
    """The parts whose files are not as they were written, and what is wrong with each."""
    answer = engine.lines(f"CHECK TABLE {table} SETTINGS check_query_single_value_result = 0")
    # A message may quote what it could not read.
    rows = [json.loads(line) for line in answer.decode(errors="replace").split("\n") if line.strip()]
    return [(str(row["part_path"]), str(row["message"])) for row in rows if not int(row["is_passed"])]


def _lacking(engine: Engine, table: str, feed: str) -> list[str]:
    """A view may have more than the events: those expire at another time. It may never have less."""
    lacking: list[str] = []
    for _ in range(_ROUNDS):
        measure = _MEASURES[table]
        kept = _KEPT.format("accepted_at", _DAY)
        wanted = _counts(engine, measure, f"({feed} AND {kept})")
        still = "1" if table == "waiting" else _KEPT.format(measure.moment, "")
        there = _counts(engine, measure, f"(SELECT * FROM {table} WHERE {still})")
        lacking = [
            f"it lacks {least - there.get(name, 0):,} of {least:,} {name[1]} of {name[0]}"
            for name, least in sorted(wanted.items())
            if there.get(name, 0) < least
        ]
        if not lacking:
            break
    return lacking


def _counts(engine: Engine, measure: _Measure, rows: str) -> dict[tuple[int, str], int]:
    """How many rows, and what they sum up to, by month."""
    found: dict[tuple[int, str], int] = {}
    question = (
        f"SELECT {month_of(measure.moment)} AS month, count(), sum(sums)"
        f" FROM (SELECT {measure.key}, sum({measure.sums}) AS sums FROM {rows} GROUP BY {measure.key}"
        f" HAVING {measure.having}) GROUP BY month"
    )
    for month, count, sums in engine.rows(question):
        found[int(str(month)), "rows"] = int(str(count))
        found[int(str(month)), "attempts or events"] = int(str(sums))
    return found


def health(engines: Sequence[Engine], named: Callable[[str], str], measured: bool) -> MailLogHealth:
    """What it is and, when measured, how large; `named` gives tables their names."""
    engine = engines[0]
    version = f"ClickHouse {engine.rows('SELECT version()')[0][0]}"
    name = f"chDB ({version})" if engine.embedded else version
    if not measured:
        return MailLogHealth(name, 0, 0, 0)
    size = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
    return MailLogHealth(
        engine=name,
        events=_number(engine.rows(named("SELECT count() FROM {events}"))),
        deliveries=_number(engine.rows(named("SELECT count() FROM {deliveries} FINAL"))),
        bytes_on_disk=sum(_number(each.rows(size)) for each in engines),
    )


def _number(rows: Sequence[tuple[object, ...]]) -> int:
    return int(str(rows[0][0]))
