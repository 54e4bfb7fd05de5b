"""`mailvane import postfix`: read mail logs."""

from __future__ import annotations

import sys
from time import monotonic

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from mailvane.core.cli.rendering import print_json
from mailvane.core.cli.selection import chosen_workspace
from mailvane.maillog.cli.program import ImportProgress, ImportRequest, ImportSummary, maillog_program

SAMPLES = 5

group = typer.Typer(help="Read the past, or the present, from files.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="import")


# A group of one command would otherwise be folded into its only command.
@group.callback()
def _group() -> None:
    """Read the past, or the present, from files."""


@group.command()
def postfix(  # noqa: PLR0913  each option is one of the command line
    context: typer.Context,
    files: list[str] = typer.Argument(
        help="Mail logs: plain, .gz, .bz2, .xz, .zst, in any order; - is standard input."
    ),
    workspace: str | None = typer.Option(None, help="The workspace that the mail belongs to; by default the only one."),
    relay: int | None = typer.Option(None, help="The relay; by default the first active one of the workspace."),
    timezone: str | None = typer.Option(None, help="Zone of stamps that name none, such as Europe/Berlin."),
    year: int | None = typer.Option(
        None, min=1990, max=9998, help="Year of the first stamp that names none; otherwise the order of lines tells."
    ),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on reading as the file grows and rotates."),
    show_unparsed: bool = typer.Option(False, help="Show examples of the lines that were not understood."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Read Postfix logs. What was read before, also under another name or compressed, is not read twice."""
    program = maillog_program(context)
    request = ImportRequest(
        files=tuple(files),
        workspace=chosen_workspace(program.tenancy(), workspace).name,
        relay=relay,
        timezone=timezone,
        year=year,
        follow=follow,
        samples=SAMPLES if show_unparsed else 0,
    )
    with ProgressBar(Console(stderr=True, highlight=False)) as bar:
        summary = program.import_postfix(request, bar.show)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)


class ProgressBar:
    """A bar on standard error with lines, rate and time left; nothing when that is no terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[lines]:,} lines  {task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task: TaskID | None = None
        self._began = monotonic()  # before the first block: its lines took time, too

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, now: ImportProgress) -> None:
        if self._task is None:
            self._task = self._progress.add_task(now.file, total=None, lines=0, rate=0.0)
        elapsed = monotonic() - self._began
        self._progress.update(
            self._task,
            description=now.file,
            total=now.bytes_total or None,
            completed=now.bytes_read,
            lines=now.lines,
            rate=now.lines / elapsed if elapsed else 0.0,
        )


def _print_summary(summary: ImportSummary) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    speed = summary.lines / summary.seconds if summary.seconds else 0
    table.add_row("lines", f"{summary.lines:,}", f"in {summary.seconds:.1f} s, {speed:,.0f} a second")
    table.add_row("messages", f"{summary.messages:,}", "accepted")
    table.add_row("deliveries", f"{summary.deliveries:,}", "made, one for each recipient")
    table.add_row("deferrals", f"{summary.deferrals:,}", "attempts to be made again")
    table.add_row("bounces", f"{summary.bounces:,}", "recipients given up")
    table.add_row("rejects", f"{summary.rejects:,}", "refused before acceptance")
    unknown = sum(summary.not_understood.values())
    table.add_row("not understood", f"{unknown:,}", "" if unknown else "every line was understood")
    if summary.unfinished:
        table.add_row("unfinished", f"{summary.unfinished:,}", "last lines without an end: read when there is one")
    for kind, count in sorted(summary.not_understood.items(), key=lambda item: -item[1]):
        table.add_row(f"  {kind}", f"{count:,}")
    console = Console(highlight=False)
    console.print(table)
    for kind, lines in summary.samples.items():
        console.print(f"\n[bold]{kind}[/]")
        for line in lines:
            console.print(f"  {line}", markup=False, soft_wrap=True)
