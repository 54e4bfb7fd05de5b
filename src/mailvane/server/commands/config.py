"""`mailvane config`: the configuration of a workspace as a file: export, diff, apply."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from mailvane.core.cli.rendering import print_json
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.server.configuration.changes import LARGEST, Plan
from mailvane.server.program import server_program

ACTOR = "command line"
_WORKSPACE = typer.Option(None, help="Whose; not needed when there is one workspace.")
_FILE = typer.Argument(metavar="FILE", help="A TOML file; `-` is standard input.")
_JSON = typer.Option(False, "--json", help="Print JSON.")

group = typer.Typer(
    help="Configuration as a file: domains, limits, what is watched, alerts, channels, heartbeats.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="config")


@group.command()
def export(
    context: typer.Context,
    workspace: str | None = _WORKSPACE,
    secrets: bool = typer.Option(
        False, "--secrets", help="Also addresses of channels and hashes of heartbeats' addresses, which are secrets."
    ),
) -> None:
    """Print domains, limits, what is watched, alerts, channels and heartbeats as TOML."""
    program = server_program(context)
    found = chosen_workspace(program.tenancy(), workspace)
    typer.echo(program.configuration().export(found.id, program.now(), secrets), nl=False)


@group.command()
def diff(context: typer.Context, file: str = _FILE, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Say what is not as a file says. Nothing is changed; the status is 3 when something would be."""
    program = server_program(context)
    found = chosen_workspace(program.tenancy(), workspace)
    plan = program.configuration().diff(found.id, _read(file), program.now())
    _show(plan, as_json, "nothing differs")
    if plan.changes:
        raise typer.Exit(3)


@group.command()
def apply(
    context: typer.Context,
    file: str = _FILE,
    workspace: str | None = _WORKSPACE,
    delete: bool = typer.Option(False, "--delete", help="Also remove what the file's parts do not list."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be done."),
    as_json: bool = _JSON,
) -> None:
    """Make it as a file says. Parts that the file does not have are left alone; applied twice, it changes nothing."""
    program = server_program(context)
    found = chosen_workspace(program.tenancy(), workspace)
    configuration, text = program.configuration(), _read(file)
    if dry_run:
        plan = configuration.diff(found.id, text, program.now())
        if delete:
            plan = Plan(changes=(*plan.changes, *reversed(plan.unlisted)))
    else:
        plan = configuration.apply(found.id, text, delete, ACTOR, program.now())
    _show(plan, as_json, "nothing to do")
    for name, path in plan.addresses.items():
        typer.echo(f"heartbeat {name} is called at {program.address()}{path}", err=as_json)


def _read(file: str) -> bytes:
    """Raises InvalidInput."""
    try:
        if file == "-":
            text = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                text = opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > LARGEST:
        raise InvalidInput(f"{file} is larger than {LARGEST:,} bytes")
    return text


def _show(plan: Plan, as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(plan)
        return
    for change in plan.changes:
        typer.echo(change.text)
    if not plan.changes:
        typer.echo(nothing)
    for change in plan.unlisted:
        typer.echo(f"not in the file: {change.what} {change.name} (--delete removes it)")
