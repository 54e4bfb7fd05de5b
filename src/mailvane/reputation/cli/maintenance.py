"""`mailvane maintenance`: times in which alerts are logged and nobody is told."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.core.cli.rendering import moment, print_json, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.cli.times import GIVEN, coming
from mailvane.core.identifiers import new_id
from mailvane.reputation.alerts.model import MaintenanceWindow
from mailvane.reputation.cli.program import ReputationProgram, reputation_program

_WORKSPACE = typer.Option(None, help="Whose; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_LONGEST_REASON = 500

group = typer.Typer(help="Times in which alerts are logged and nobody is told.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="maintenance")


@group.command(name="list")
def list_(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """List maintenance windows, the latest first."""
    program = reputation_program(context)
    found, now = program.alerting().windows(_workspace(program, workspace)), program.now()
    if as_json:
        print_json(found)
        return
    table = Table("from", "until", "state", "reason", "id", box=None)
    for one in found:
        state = "over" if one.until <= now else "now" if one.since <= now else "to come"
        table.add_row(moment(one.since, program.zone), moment(one.until, program.zone), state, one.reason, one.id)
    print_table(table, "there are no maintenance windows: `mailvane maintenance add`", "id")


@group.command()
def add(
    context: typer.Context,
    until: str = typer.Option(..., help=f"When it ends: {GIVEN}."),
    since: str | None = typer.Option(None, help="When it begins, likewise; now by default."),
    reason: str = typer.Option("", help="What is done."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Add a window of maintenance and print its id."""
    program = reputation_program(context)
    now = program.now()
    window = MaintenanceWindow(
        id=new_id(),
        workspace=_workspace(program, workspace),
        since=now if since is None else coming(since, now),
        until=coming(until, now),
        reason=reason[:_LONGEST_REASON],
    )
    added = program.alerting().add_window(window)
    if as_json:
        print_json(added)
    else:
        typer.echo(added.id)


@group.command()
def remove(
    context: typer.Context,
    window: str = typer.Argument(metavar="ID", help="As `maintenance list` shows it."),
    workspace: str | None = _WORKSPACE,
) -> None:
    """End a window of maintenance, or cancel one to come."""
    program = reputation_program(context)
    program.alerting().remove_window(_workspace(program, workspace), window)


def _workspace(program: ReputationProgram, name: str | None) -> int:
    return chosen_workspace(program.tenancy(), name).id
