"""How fast are the figures of 5,000 mailboxes over 50 million events, beside PostgreSQL?

    python benchmarks/mailboxes.py [--events 50000000] [--rounds 5] [--data DIR] [--without-postgres]

The events are made inside the engine and fed to `events` as a source would feed them; of the views only those are fed
that the question reads. PostgreSQL gets the same ones
twice: as events, with an index, from which the same figures are counted; and as one row a mail with a column for each
kind, which somebody would have to keep up to date mail by mail. The question is that of `/v1/analytics/mailboxes`, with
its counters, through the service to the JSON of the answer: for 30 days, and of all time. Asked in turn; the medians
are printed, and of ours the processor time of all threads. The answers of both are compared. `--data` keeps the stores
for the next run.
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
from typing import NamedTuple

import msgspec
from mailboxes_postgres import PostgresMailboxes

from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.performance import Figures, Performance, Window
from mailvane.mailboxes.sendkit import shape
from mailvane.mailboxes.service import Mailboxes
from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.clickhouse.schema import feeds
from mailvane.maillog.clickhouse.upkeep import prepare
from mailvane.server.ledger import Ledger, open_ledger

DAY = 86_400_000
END = 1_795_996_800_000  # a midnight; the same in every run
DAYS = 180
MAILBOXES = 5000
EVENTS_A_MAIL = 2.68
CHUNK = 1_000_000
ASKED = ("engagement", "received")
GOALS = {"30 days": 400, "all time": 800}
FILL = Path(__file__).with_name("mailboxes_fill.sql")


def fill(dsn: str, events: int) -> None:
    mails = int(events / EVENTS_A_MAIL)
    engine = Engine(parse_address(dsn))
    try:
        prepare(engine)
        if engine.rows("SELECT count() > 0 FROM events")[0][0]:
            return
        started = time.monotonic()
        for view in set(feeds()) - set(ASKED):
            engine.command(f"DROP VIEW {view}_feed SYNC")
        statement = FILL.read_text("utf-8")
        for first in range(0, mails, CHUNK):
            values = {"start": END - DAYS * DAY, "span": DAYS * DAY, "mails": mails, "mailboxes": MAILBOXES}
            engine.command(statement, values | {"first": first, "count": min(CHUNK, mails - first)})
            progress(f"mail log: {min(first + CHUNK, mails):,} of {mails:,} mails")
        settle(engine)
        prepare(engine)
        progress("")
        print(f"\rfilled in {time.monotonic() - started:.0f} s")
    finally:
        engine.close()


def settle(engine: Engine) -> None:
    """What the engine does by itself with weeks that were left alone for a while. The newest two stay as they are."""
    parts = (
        "SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table = 'engagement' ORDER BY partition_id"
    )
    for (partition,) in engine.rows(parts)[:-2]:
        progress(f"merging engagement {partition}")
        engine.command(f"OPTIMIZE TABLE engagement PARTITION ID '{partition}' FINAL")


def progress(text: str) -> None:
    sys.stderr.write(f"\r{text}   ")
    sys.stderr.flush()


def service_on(ledger: Ledger, maillog: ClickHouseMailLog) -> Mailboxes:
    if not ledger.tenants.workspaces():
        workspace = ledger.tenants.add_workspace("outreach", END - DAYS * DAY)
        ledger.tenants.add_relay(workspace.id, "", END - DAYS * DAY)
    return Mailboxes(ledger.mailboxes, Tenancy(ledger.tenants, ""), Figures(lambda: maillog))


def windows() -> dict[str, Window]:
    return {"30 days": Window(END - 30 * DAY, END - 1), "all time": Window()}


def told(found: list[Performance]) -> dict[str, tuple[int, ...]]:
    """What both have to agree about."""
    rows = ((one.mailbox.address, one.counts) for one in found)
    return {
        address: (row.sent, row.opened, row.clicked, row.bounced, row.replied, row.positive) for address, row in rows
    }


class Took(NamedTuple):
    """Milliseconds of the clock, and of the processors as far as this process used them."""

    ms: float
    cpu_ms: float


def timed(asks: dict[str, Callable[[], object]], rounds: int) -> dict[str, Took]:
    """Medians; the first round is not measured."""
    took: dict[str, list[Took]] = {name: [] for name in asks}
    for number in range(rounds + 1):
        for name, ask in asks.items():
            progress(f"round {number}: {name}")
            started, used = time.perf_counter(), time.process_time()
            ask()
            if number:
                took[name].append(Took((time.perf_counter() - started) * 1000, (time.process_time() - used) * 1000))
    return {name: Took(*map(statistics.median, zip(*times, strict=True))) for name, times in took.items()}


def event_rows(engine: Engine) -> Iterator[bytes]:
    """Chunks of tab-separated events, with what PostgreSQL needs of each and the mailbox of its mail."""
    inside = "workspace = 1 AND relay = 1 AND accepted_at >= {first:Int64} AND accepted_at < {last:Int64}"
    for first in range(END - DAYS * DAY, END, 3 * DAY):
        progress(f"copying to PostgreSQL: {(first - END) // DAY + DAYS} of {DAYS} days")
        yield engine.lines(
            "SELECT owner, e.accepted_at, e.number, e.type, e.at, toUInt8(e.automatic), toUInt8(e.positive)"
            f" FROM (SELECT accepted_at, number, type, at, automatic, positive FROM events WHERE {inside}) AS e"
            " INNER JOIN (SELECT accepted_at, number, substring(mailbox, 2) AS owner"
            f" FROM engagement FINAL WHERE {inside}) AS m ON e.accepted_at = m.accepted_at AND e.number = m.number",
            {"first": first, "last": first + 3 * DAY},
            "TabSeparated",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--without-postgres", action="store_true")
    options = parser.parse_args()
    with ExitStack() as running:
        place = options.data or Path(running.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        dsn = f"chdb://{place.absolute() / 'mailboxes'}"
        fill(dsn, options.events)
        maillog = running.enter_context(open_maillog(dsn))
        ledger = open_ledger(f"sqlite:///{place.absolute() / 'mailboxes.sqlite'}")
        running.callback(ledger.close)
        service = service_on(ledger, maillog)
        asks: dict[str, Callable[[], object]] = {
            f"Mailvane, {name}": _bound(service, window) for name, window in windows().items()
        }
        postgres = None
        if not options.without_postgres:
            postgres = running.enter_context(PostgresMailboxes(place / "mailboxes-postgres"))
            postgres.fill(event_rows(maillog._engine))  # noqa: SLF001 - read as it is stored
            for name, window in windows().items():
                asks[f"PostgreSQL, events, {name}"] = postgres.asking_events(window, END)
                asks[f"PostgreSQL, a row a mail, {name}"] = postgres.asking_mails(window, END)
        took = timed(asks, options.rounds)
        report(took, maillog)
        if postgres is not None:
            compare(service, postgres)


def _bound(service: Mailboxes, window: Window) -> Callable[[], object]:
    def asked() -> bytes:
        found = service.performance(1, window, END - 1)
        return msgspec.json.encode(shape.ok([shape.performance(one, END - 1) for one in found]))

    return asked


def report(took: dict[str, Took], maillog: ClickHouseMailLog) -> None:
    progress("")
    print(f"\r{maillog.health().events:,} events, {MAILBOXES:,} mailboxes; medians")
    for name, one in took.items():
        processors = f", processors {one.cpu_ms:,.1f} ms" if name.startswith("Mailvane") else ""
        print(f"  {name:<36} {one.ms:12,.1f} ms{processors}")
    for name, goal in GOALS.items():
        ours = took[f"Mailvane, {name}"].ms
        print(f"  {name}: {ours:.0f} ms, the goal is {goal}: {'met' if ours <= goal else 'MISSED'}")
        for peer in ("events", "a row a mail"):
            if (theirs := took.get(f"PostgreSQL, {peer}, {name}")) is not None:
                print(f"    PostgreSQL, {peer}: {theirs.ms / ours:.1f} times as long")


def compare(service: Mailboxes, postgres: PostgresMailboxes) -> None:
    for name, window in windows().items():
        ours = told(service.performance(1, window, END - 1))
        for peer, theirs in (
            ("events", postgres.asking_events(window, END)()), ("mails", postgres.asking_mails(window, END)())
        ):  # fmt: skip
            same = {each: figures for each, figures in ours.items() if figures[0]} == theirs
            print(f"  {name}, {peer}: {'the same figures' if same else 'OTHER FIGURES'}")


if __name__ == "__main__":
    main()
