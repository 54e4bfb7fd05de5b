"""`mailvane rebuild`, `backup`, `restore`: care for the mail log."""

from __future__ import annotations

from pathlib import Path

import typer

from mailvane.maillog.cli.program import maillog_program


def register(app: typer.Typer) -> None:
    app.command()(rebuild)
    app.command()(backup)
    app.command()(restore)


def rebuild(context: typer.Context) -> None:
    """Make every view of the mail log anew from its events; totals and rows stay the same."""
    with maillog_program(context).maillog() as maillog:
        maillog.rebuild()
        health = maillog.health()
    typer.echo(f"rebuilt {health.deliveries:,} deliveries from {health.events:,} events")


def backup(
    context: typer.Context,
    directory: Path = typer.Argument(help="Where to; a new directory, or one that is empty."),
) -> None:
    """Write the mail log, the ledger and the settings to a directory, while the server may go on running."""
    said = maillog_program(context).backup(directory.absolute())
    typer.echo(f"backed up to {directory}")
    for line in said:
        typer.echo(line)


def restore(
    context: typer.Context,
    directory: Path = typer.Argument(help="A directory that `mailvane backup` wrote."),
) -> None:
    """Put a backup into an empty data directory; no server may run on it."""
    maillog_program(context).restore(directory.absolute())
    typer.echo(f"restored from {directory}")
