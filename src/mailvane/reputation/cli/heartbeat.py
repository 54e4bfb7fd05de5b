"""`mailvane heartbeat`: addresses that jobs call while all is well."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, is_narrow, moment, print_json, print_table, short_moment
from mailvane.core.cli.selection import chosen_workspace
from mailvane.reputation.cli.program import ReputationProgram, reputation_program
from mailvane.reputation.heartbeats import LONGEST_SECONDS, USUAL_GRACE_SECONDS, standing

_WORKSPACE = typer.Option(None, help="Whose; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")

group = typer.Typer(help="Addresses that jobs call while all is well.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="heartbeat")


@group.command(name="list")
def list_(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """List heartbeats with when they were called last, period and grace. Addresses are not shown again."""
    program = reputation_program(context)
    now = program.now()
    found = [standing(one, now) for one in program.heartbeats().all(_workspace(program, workspace))]
    if as_json:
        print_json(found)
        return
    table = Table("name", "state", "called", "late from", "every", "id", box=None)
    when = short_moment if is_narrow() else moment
    for one in found:
        called = when(one.called_at, program.zone) if one.called_at else "never"
        state, due = "late" if one.late else "in time", when(one.due_at, program.zone)
        table.add_row(one.name, state, called, due, f"{_length(one.period)} + {_length(one.grace)}", one.id)
    print_table(table, "there are no heartbeats yet: `mailvane heartbeat create`", "name", "every", "id")


@group.command()
def create(
    context: typer.Context,
    name: str = typer.Argument(help="What calls it, such as 'nightly backup'."),
    period: int = typer.Option(..., min=1, max=LONGEST_SECONDS, help="It is called every so many seconds."),
    grace: int = typer.Option(USUAL_GRACE_SECONDS, min=0, max=LONGEST_SECONDS, help="It may be so many seconds late."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Make a heartbeat and print the address to call (GET, HEAD or POST). It is not shown again."""
    program = reputation_program(context)
    made = program.heartbeats().create(_workspace(program, workspace), name, period, grace, program.now())
    url = f"{program.address()}{made.path}"
    if as_json:
        print_json({"id": made.heartbeat.id, "name": made.heartbeat.name, "path": made.path, "url": url})
    else:
        typer.echo(url)


@group.command()
def delete(
    context: typer.Context,
    heartbeat: str = typer.Argument(metavar="NAME|ID", help="As `heartbeat list` shows it."),
    workspace: str | None = _WORKSPACE,
) -> None:
    """Delete a heartbeat. Its address is unknown from then on."""
    program = reputation_program(context)
    owner = _workspace(program, workspace)
    known = program.heartbeats().named(owner, heartbeat)
    program.heartbeats().remove(owner, known.id)
    console().print(f"deleted heartbeat {known.id} ({known.name})", markup=False)


def _length(seconds: int) -> str:
    """In the largest unit of which it is a whole number."""
    unit, of = next((one, of) for one, of in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)) if seconds % of == 0)
    return f"{seconds // of} {unit}" if seconds else "0"


def _workspace(program: ReputationProgram, name: str | None) -> int:
    return chosen_workspace(program.tenancy(), name).id
