"""`mailvane demo`: a server with a living simulated mail world."""

from __future__ import annotations

from pathlib import Path

import typer

from mailvane.core.cli.program import program
from mailvane_demo.options import DemoOptions


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Try it out")(demo)


def demo(
    context: typer.Context,
    seed: int = typer.Option(7, help="The same seed gives the same world."),
    days: int = typer.Option(30, min=0, max=366, help="Days of history before the present."),
    mails_per_day: int = typer.Option(2000, min=1, max=1_000_000, help="About how many mails the world sends a day."),
    data: Path | None = typer.Option(None, help="Keep the data here; by default it goes when the demo ends."),
) -> None:
    """Run a server with a simulated Postfix: a month of history, then living mail."""
    options = DemoOptions(seed=seed, days=days, mails_per_day=mails_per_day, data=data)
    # Imported here: other commands should not wait for the libraries of a server and of a world.
    from mailvane_demo.demo import run  # noqa: PLC0415

    run(program(context).settings, options)
