"""`mailvane stats`: counts by window, the busiest senders, recipients and origins, and the volume hour by hour."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import typer
from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, print_json, rate, sparkline
from mailvane.core.cli.selection import chosen_relays, chosen_workspace
from mailvane.core.moments import HOUR_MS
from mailvane.maillog.cli.dimension_table import print_dimension
from mailvane.maillog.cli.program import maillog_program
from mailvane.maillog.dimensions import Dimension, by_dimension
from mailvane.maillog.history import WINDOWS, window_start
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion, LogQuestion, Statistics, StatisticsQuestion

PLOT_HOURS = 48


def register(app: typer.Typer) -> None:
    app.command()(stats)


def stats(  # noqa: PLR0913  each option is one of the command line
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    relay: int | None = typer.Option(None, help="One relay, or 0: mail that came in; by default all of the workspace."),
    window: str = typer.Option("30d", help=f"Window of the tables: {', '.join(WINDOWS)}."),
    by: Dimension | None = typer.Option(
        None, help="Instead: what became of mail by this, with the share of bounces, beside the period before."
    ),
    top: int = typer.Option(10, min=1, max=500, help="Rows of each table."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show what was accepted and delivered, by whom and for whom."""
    program = maillog_program(context)
    tenants = program.tenants()
    zone = program.zone
    now = program.now()
    found = chosen_workspace(tenants, workspace)
    relays = chosen_relays(tenants, found, relay)
    if by is not None:
        question = LogQuestion(workspace=found.id, relays=relays, since=window_start(window, now, zone), until=now)
        with program.maillog() as maillog:
            rows = by_dimension(maillog, question, by, top)
        print_json({"by": by, "window": window, "rows": rows}) if as_json else print_dimension(rows, by, window)
        return
    chosen = StatisticsQuestion(
        workspace=found.id, relays=relays, since=window_start(window, now, zone), until=now, top=top
    )
    volume = HourlyQuestion(workspace=found.id, relays=relays, since=now - PLOT_HOURS * HOUR_MS, until=now)
    with program.maillog() as maillog:
        others = [
            StatisticsQuestion(workspace=found.id, relays=relays, since=window_start(name, now, zone), until=now, top=1)
            for name in WINDOWS
        ]
        tables, *counted = maillog.statistics_of([chosen, *others])
        windows = dict(zip(WINDOWS, counted, strict=True))
        hours = maillog.hourly(volume)
    if as_json:
        counts = {name: {"received": one.received, "sent": one.sent} for name, one in windows.items()}
        print_json({"window": window, "tables": tables, "windows": counts, "hours": hours})
        return
    _print_windows(windows)
    _print_plot(hours, now, zone)
    _print_tables(tables, window)


def _print_windows(windows: dict[str, Statistics]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("window", "accepted", "delivered", "deliveries per mail"):
        table.add_column(name, justify="left" if name == "window" else "right")
    for name, one in windows.items():
        ratio = f"{one.sent / one.received:.2f}" if one.received else "-"
        table.add_row(name, f"{one.received:,}", f"{one.sent:,}", ratio)
    console().print(table)


def _print_plot(hours: list[HourlyCounts], now: int, zone: ZoneInfo) -> None:
    by_hour = {one.hour: one for one in hours}
    first = (now - PLOT_HOURS * HOUR_MS) // HOUR_MS * HOUR_MS
    starts = range(first, now + 1, HOUR_MS)
    out = console()
    began = datetime.fromtimestamp(first / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
    out.print(Text.assemble(("\nevents an hour", "bold"), f" since {began}"))
    for name, style in (("accepted", "cyan"), ("delivered", "green"), ("deferred", "yellow"), ("bounced", "red")):
        values = [getattr(by_hour[start], name) if start in by_hour else 0 for start in starts]
        line = Text.assemble((f"{name:<10}", "bold"), (sparkline(values), style), f"  {sum(values):,}")
        out.print(line.append(f", most {max(values):,}", "dim"))
    done = sum(one.delivered for one in hours)
    gone = sum(one.bounced for one in hours)
    out.print(Text.assemble(("final", "bold"), f"     delivered {rate(done, done + gone)}"))


def _print_tables(tables: Statistics, window: str) -> None:
    ranked = {"senders": tables.senders, "recipients": tables.recipients, "origins": tables.origins}
    blocks = []
    for name, counts in ranked.items():
        table = Table(title=f"{name}, {window}", box=None, show_header=False, title_justify="left", title_style="bold")
        table.add_column(overflow="ellipsis", max_width=44, no_wrap=True)
        table.add_column(justify="right")
        for key, count in counts.items():
            table.add_row(Text(key or "<>"), f"{count:,}")
        blocks.append(table)
    console().print("", Columns(blocks, padding=(0, 4)))
