"""`mailvane doctor`: look at everything that can be wrong."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, print_json
from mailvane.server.program import CheckResult, server_program

_MARKS = {
    CheckResult.GOOD: Text("✓", "green"),
    CheckResult.WARNING: Text("!", "yellow"),
    CheckResult.BAD: Text("✗", "red"),
}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    context: typer.Context,
    deep: bool = typer.Option(False, "--deep", help="Read the whole mail log, too; this takes a while."),
    accept_loss: bool = typer.Option(
        False, "--accept-loss", help="First take what is left of a damaged mail log for all that there is."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check settings, stores, server and sources; ends with status 1 when something is bad."""
    if accept_loss:
        with server_program(context).maillog() as maillog:
            maillog.accept_losses()
    checks = list(server_program(context).checks(deep))
    if as_json:
        print_json(checks)
    else:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for check in checks:
            table.add_row(_MARKS[check.result], check.name, check.finding)
            if check.advice:
                table.add_row("", "", Text(check.advice, "dim"))
        console().print(table)
    if any(check.result is CheckResult.BAD for check in checks):
        raise typer.Exit(1)
