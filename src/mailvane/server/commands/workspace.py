"""`mailvane workspace`: create, list, set, remove; adopt and drop for mail whose ledger was lost."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.core.cli.rendering import moment, print_json, print_record, print_table
from mailvane.maillog.cli.program import maillog_program
from mailvane.server.program import server_program

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
    app = maillog_program(context)
    found = app.tenancy().create_workspace(name, app.now())
    if as_json:
        print_json(found)
    else:
        typer.echo(found.id)


@group.command(name="list")
def list_(context: typer.Context, as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List every workspace."""
    found = maillog_program(context).tenants().workspaces()
    if as_json:
        print_json(found)
        return
    table = Table("id", "name", "created", "keeps mail events", box=None)
    for one in found:
        kept = f"{one.retention_days} days" if one.retention_days else "for ever"
        table.add_row(str(one.id), one.name, moment(one.created_at, maillog_program(context).zone), kept)
    print_table(table, "there are no workspaces yet: `mailvane workspace create`", "name")


@group.command(name="set")
def set_(
    context: typer.Context,
    name: str = typer.Argument(help="The workspace."),
    keep_days: int = typer.Option(..., min=0, max=36500, help="Keep mail events this many days; 0 keeps for ever."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change how long a workspace keeps its mail events; what is older is removed."""
    tenancy = maillog_program(context).tenancy()
    with maillog_program(context).maillog() as maillog:
        found = tenancy.keep(name, keep_days)  # nothing is kept of a change that the mail log refuses
        maillog.retain(found.id, keep_days)
    if as_json:
        print_json(found)
    else:
        print_record(found.name, {"id": found.id, "keeps mail events (days, 0: for ever)": found.retention_days})


@group.command()
def remove(
    context: typer.Context,
    name: str = typer.Argument(help="The workspace."),
    yes: bool = typer.Option(False, "--yes", help="Remove it; otherwise it is only said what would go."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Remove a workspace with everything of it: keys, domains, alerts, reports, mail events. There is no way back.

    Says first what there is of it. Frozen months of billing stay. Within a second no server lets its keys in.
    """
    program = server_program(context)
    with program.removal() as removal:
        held = removal.holdings(name)
        if not as_json:
            fields = {"events of mail": f"{held.events:,}"}
            fields |= {
                table.replace("_", " "): f"{rows:,}" for table, rows in held.rows.items() if table != "workspaces"
            }
            print_record(f"workspace {held.name} ({held.workspace}) has", fields)
        if yes:
            held = removal.remove(name, program.now())
    if as_json:
        print_json(held)
    if not yes:
        typer.echo("nothing was removed; to remove all of this: --yes", err=True)
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"removed workspace {held.name}")


@group.command()
def adopt(
    context: typer.Context,
    workspace: int = typer.Argument(min=0, help="The id that the mail log knows it by."),
    name: str = typer.Argument("", help="Its name; by default the one that it had."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Give mail that the ledger does not know to a workspace of the same id, made anew if it is missing.

    Its relays are made anew, too, under the ids that the mail names. Keys are not: create new ones.
    """
    app = maillog_program(context)
    with app.ownership() as ownership:
        found = ownership.adopt(workspace, name, app.now())
    if as_json:
        print_json(found)
    else:
        relays = ", ".join(map(str, found.holding.relays)) or "none"
        print_record(found.workspace.name, {"id": workspace, "events": found.holding.events, "relays": relays})


@group.command()
def drop(
    context: typer.Context,
    workspace: int = typer.Argument(min=0, help="The id that the mail log knows it by."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Delete mail that the ledger does not know: events, every view of them, and what waits in the journal.

    There is no way back. Mail of a workspace that the ledger knows is left alone.
    """
    with maillog_program(context).ownership() as ownership:
        held = ownership.drop(workspace)
    if as_json:
        print_json(held)
    else:
        typer.echo(f"dropped {held.events:,} events of workspace {workspace}")
