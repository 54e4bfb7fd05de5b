"""`mailvane node`: the servers that share a ledger."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.core.cli.rendering import is_narrow, moment, print_json, print_table, short_moment
from mailvane.server.program import server_program

group = typer.Typer(help="The servers that share a ledger.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="node")


@group.callback()
def _() -> None:
    """The servers that share a ledger."""


@group.command(name="list")
def list_(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List the servers that run on this ledger, and those that went silent within a day without having ended."""
    program = server_program(context)
    now, found = program.now(), program.nodes()
    if as_json:
        print_json(found)
        return
    table = Table("node", "roles", "answers on", "version", "since", "state", box=None)
    when = short_moment if is_narrow() else moment
    for one in found:
        state = f"silent since {when(one.seen_at, program.zone)}" if one.is_silent(now) else "runs"
        table.add_row(
            one.name, " ".join(one.roles), one.address, one.version, when(one.started_at, program.zone), state
        )
    print_table(table, "no server runs on this ledger", "answers on")
