"""How fast and how small is the mail log, beside PostgreSQL with an index for every filter?

    python benchmarks/maillog_queries.py [--deliveries 10000000] [--rounds 7] [--data DIR] [--without-postgres]

The same deliveries are made inside the engine, fed to `events` as a source would feed them, and copied to PostgreSQL as
one row each, partitioned by month. Every question of the API is then asked of both about the largest workspace, in
turn, and the medians are printed. Nothing is warmed beyond the first, unmeasured round; whole tables fit in the page
cache. Evidence (raw log lines) is left out on both sides. `--data` keeps the mail log for the next run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from maillog_postgres import PostgresLog

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.clickhouse.upkeep import prepare
from mailvane.maillog.model import MailKind, mail_id
from mailvane.maillog.queries import Delivery, HourlyQuestion, LogPage, LogQuestion, StatisticsQuestion

DAY = 86_400_000
END = (time.time_ns() // 1_000_000 // DAY + 1) * DAY  # the coming midnight
DAYS = 180
WORKSPACE = 1  # the largest: 24 in 100 deliveries; 19 others share the rest
RELAYS = (10, 11)
CHUNK = 400_000
NEWEST, BATCH = 7, 2000  # days whose mails come in batches of so many, as a log brings them

FILL = Path(__file__).with_name("maillog_fill.sql")


def fill(dsn: str, deliveries: int) -> float:
    """Make the mail log. Seconds it took."""
    mails = deliveries * 4 // 5
    started = time.perf_counter()
    engine = Engine(parse_address(dsn))
    try:
        prepare(engine)
        statement = FILL.read_text("utf-8")
        newest = mails - mails * NEWEST // DAYS
        for first, count in [*_chunks(0, newest, CHUNK), *_chunks(newest, mails, BATCH)]:
            values = {"start": END - DAYS * DAY, "span": DAYS * DAY, "mails": mails, "first": first}
            engine.command(statement, values | {"count": count})
            progress(f"mail log: {first + count:,} of {mails:,} mails")
        settle(engine)
    finally:
        engine.close()
    return time.perf_counter() - started


def _chunks(since: int, until: int, size: int) -> Iterator[tuple[int, int]]:
    """Of mails by number: the first of each chunk, and how many."""
    return ((first, min(size, until - first)) for first in range(since, until, size))


def settle(engine: Engine) -> None:
    """What the engine does by itself with weeks that were left alone for five minutes.

    The newest keeps the parts that it made of a week's batches: they end to be merged before anything is asked.
    """
    parts = (
        "SELECT DISTINCT table, partition_id FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table IN ('deliveries', 'engagement', 'mails') ORDER BY partition_id, table"
    )
    for table, partition in engine.rows(parts)[:-3]:
        progress(f"merging {table} {partition}")
        engine.command(f"OPTIMIZE TABLE {table} PARTITION ID '{partition}' FINAL")
    while engine.rows("SELECT 1 FROM system.merges LIMIT 1"):
        time.sleep(0.5)


def progress(text: str) -> None:
    sys.stderr.write(f"\r{text}   ")
    sys.stderr.flush()


def log_questions(sample: Any) -> dict[str, tuple[LogQuestion, int | None]]:
    """Every filter and window of the log, and the milliseconds that are the goal."""
    whole: dict[str, Any] = {"workspace": WORKSPACE, "relays": RELAYS}
    exact: dict[str, Any] = {
        "from": {"sender": sample.sender},
        "to": {"recipient": sample.recipient},
        "subject": {"subject": sample.subject},
        "mailid": {"mail_id": mail_id(sample.accepted_at, sample.number)},
        "mx": {"mx_host": sample.mx_host},
        "origin": {"origin": sample.origin},
        "replyto": {"reply_to": "reply@sender1.example"},
        "headerfrom": {"header_from": sample.header_from},
    }
    asked: dict[str, tuple[LogQuestion, int | None]] = {"newest 100": (LogQuestion(**whole), 25)}
    asked["newest 100, one relay"] = (LogQuestion(**whole | {"relays": RELAYS[:1]}), 25)
    asked["oldest 100"] = (LogQuestion(**whole, ascending=True), 25)
    asked |= {name: (LogQuestion(**whole, **filters), 100) for name, filters in exact.items()}
    asked["messageId, a part"] = (LogQuestion(**whole, message_id_part=sample.message_id[5:15]), 250)
    asked["delivered=0"] = (LogQuestion(**whole, delivered=False), 100)
    asked["delivered=1"] = (LogQuestion(**whole, delivered=True), 100)
    for days in (1, 7, 30):
        asked[f"last {days} days"] = (LogQuestion(**whole, since=END - days * DAY), 100)
    asked["7 days, undelivered, skip 5000"] = (
        LogQuestion(**whole, since=END - 7 * DAY, delivered=False, skip=5000),
        100,
    )
    asked["skip 100000"] = (LogQuestion(**whole, skip=100_000), None)
    asked["limit 10000"] = (LogQuestion(**whole, limit=10_000), None)
    asked["groupby=message"] = (LogQuestion(**whole, by_message=True), 250)
    asked["groupby=message, 30 days"] = (LogQuestion(**whole, by_message=True, since=END - 30 * DAY), 250)
    return asked


def count_questions() -> dict[str, tuple[StatisticsQuestion, int | None]]:
    """Every window of the statistics."""
    windows = {"stats 1 h": (1 / 24, 30), "stats 24 h": (1, 30), "stats 7 d": (7, None), "stats 30 d": (30, 150)}
    asked: dict[str, tuple[StatisticsQuestion, int | None]] = {
        name: (StatisticsQuestion(workspace=WORKSPACE, relays=RELAYS, since=END - int(days * DAY)), goal)
        for name, (days, goal) in windows.items()
    }
    asked["stats all"] = (StatisticsQuestion(workspace=WORKSPACE, relays=RELAYS), 400)
    return asked


def medians(asks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds each question takes, all asked in turn so that no weather falls on one alone."""
    took: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(rounds + 1):
        for name, ask in asks.items():
            started = time.perf_counter()
            ask()
            if number:
                took[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(times) for name, times in took.items()}


def compare(maillog: ClickHouseMailLog, postgres: PostgresLog | None, rounds: int) -> None:
    newest = maillog.search(LogQuestion(workspace=WORKSPACE, relays=RELAYS, skip=20_000, limit=1, delivered=True))
    logs, counts = log_questions(newest.deliveries[0]), count_questions()
    hours = HourlyQuestion(workspace=WORKSPACE, relays=RELAYS, since=END - 30 * DAY, until=END)
    ours: dict[str, Callable[[], object]] = {name: _bound(maillog.search, q) for name, (q, _) in logs.items()}
    ours |= {name: _bound(maillog.statistics, q) for name, (q, _) in counts.items()}
    ours["hourly, 30 d"] = lambda: maillog.hourly(hours)
    goals = {name: goal for name, (_, goal) in [*logs.items(), *counts.items()]}
    theirs: dict[str, Callable[[], object]] = {}
    if postgres:
        theirs |= {name: _bound(postgres.search, q) for name, (q, _) in logs.items()}
        theirs |= {name: _bound(postgres.statistics, q) for name, (q, _) in counts.items()}
        check(ours, theirs)
    mine = medians(ours, rounds)
    other = medians(theirs, max(1, rounds // 3)) if theirs else {}
    print(f"{'question':34}{'mail log ms':>12}{'goal':>7}{'PostgreSQL ms':>15}{'times faster':>14}")
    for name, took in mine.items():
        goal = goals.get(name)
        beside = f"{other[name]:15.1f}{other[name] / took:14.1f}" if name in other else ""
        missed = " <" if goal is not None and took > goal else ""
        print(f"{name:34}{took:12.1f}{goal or '':>7}{beside}{missed}")


def _bound(ask: Callable[[Any], object], question: object) -> Callable[[], object]:
    return lambda: ask(question)


def check(ours: dict[str, Callable[[], Any]], theirs: dict[str, Callable[[], Any]]) -> None:
    """Both must answer the same, or the comparison is worth nothing."""
    for name, ask in theirs.items():
        mine, other = ours[name](), ask()
        if isinstance(mine, LogPage):
            mine = (mine.total, [(row.accepted_at, row.number, row.recipient) for row in mine.deliveries])
        if mine != other:
            sys.exit(f"{name}: the answers differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--without-postgres", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dsn = f"chdb://{directory.absolute() / 'maillog'}"
        if not (directory / "maillog").exists():
            print(f"filled in {fill(dsn, options.deliveries):.0f} s")
        maillog = stack.enter_context(open_maillog(dsn))
        health = maillog.health()
        print(
            f"{health.engine}: {health.events:,} events, {health.deliveries:,} deliveries, {_mb(health.bytes_on_disk)}"
        )
        postgres = None
        if not options.without_postgres:
            postgres = stack.enter_context(PostgresLog(directory / "postgres"))
            print(f"PostgreSQL filled in {postgres.fill(all_rows(maillog)):.0f} s, {_mb(postgres.bytes_on_disk())}")
            print(f"{postgres.bytes_on_disk() / health.bytes_on_disk:.1f} times smaller")
        compare(maillog, postgres, options.rounds)
        print(f"resident: {_resident()}")


def all_rows(maillog: ClickHouseMailLog) -> Iterator[tuple[int, Delivery]]:
    """Every delivery of every workspace, a day at a time."""
    for workspace in range(1, 21):
        relays = (workspace * 10, workspace * 10 + 1)
        for day in range(0, DAYS + 1, 5):
            since = END - (DAYS - day) * DAY
            question = LogQuestion(
                workspace=workspace,
                relays=relays,
                since=since,
                until=since + 5 * DAY - 1,
                limit=10**9,
                kinds=tuple(MailKind),
            )
            page = maillog.search(question)
            progress(f"PostgreSQL: workspace {workspace} of 20, {day} of {DAYS} days")
            yield from ((workspace, row) for row in page.deliveries)


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _resident() -> str:
    status = Path("/proc/self/status").read_text()
    return next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
