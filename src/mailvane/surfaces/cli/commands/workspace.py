"""`mailvane workspace`: create, list, set."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.surfaces.cli.maillog_program import maillog_program
from mailvane.surfaces.cli.rendering import console, moment, print_json, print_record

group = typer.Typer(help="The tenants: everything belongs to one workspace.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="workspace")


@group.command()
def create(
    context: typer.Context,
    name: str = typer.Argument(help="A name of your choice, unique on this server."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Create a workspace and print its id."""
    place = maillog_program(context)
    found = place.tenancy().create_workspace(name, place.now())
    if as_json:
        print_json(found)
    else:
        typer.echo(found.id)


@group.command(name="list")
def list_(context: typer.Context, as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List every workspace."""
    found = maillog_program(context).tenancy().workspaces()
    if as_json:
        print_json(found)
        return
    table = Table("id", "name", "created", "keeps mail events", box=None)
    for one in found:
        kept = f"{one.retention_days} days" if one.retention_days else "for ever"
        table.add_row(str(one.id), one.name, moment(one.created_at, maillog_program(context).zone), kept)
    console().print(table)


@group.command(name="set")
def set_(
    context: typer.Context,
    name: str = typer.Argument(help="The workspace."),
    keep_days: int = typer.Option(..., min=0, max=36500, help="Keep mail events this many days; 0 keeps for ever."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change how long a workspace keeps its mail events; what is older is removed."""
    tenancy = maillog_program(context).tenancy()
    found = tenancy.keep(name, keep_days)
    with maillog_program(context).maillog() as maillog:
        maillog.retain(found.id, keep_days)
    if as_json:
        print_json(found)
    else:
        print_record(found.name, {"id": found.id, "keeps mail events (days, 0: for ever)": found.retention_days})
