"""`mailvane key`: create."""

from __future__ import annotations

import msgspec
import typer

from mailvane.core.cli.program import tenants_program
from mailvane.core.cli.rendering import print_json
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import KeyKind

group = typer.Typer(help="The keys that open a workspace to programs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="key")


class CreatedKey(msgspec.Struct, frozen=True):
    """A new key; the only time that its token is shown."""

    id: int
    kind: KeyKind
    workspace: int | None
    token: str


@group.command()
def create(
    context: typer.Context,
    kind: KeyKind = typer.Option(..., help="workspace, client or platform."),
    workspace: str | None = typer.Option(None, help="The workspace that it opens; none for a platform key."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Create a key and print its token, once: only a hash is kept."""
    program = tenants_program(context)
    tenancy = program.tenancy()
    if kind is KeyKind.MASTER:
        raise InvalidInput("the master token comes from the settings; see `mailvane doctor`")
    if kind is KeyKind.PLATFORM and workspace is not None:
        raise InvalidInput("a platform key spans workspaces: leave --workspace out")
    owner = None if kind is KeyKind.PLATFORM else chosen_workspace(tenancy, workspace).id
    issued = tenancy.create_key(kind, owner, program.now())
    if as_json:
        print_json(CreatedKey(issued.key.id, kind, owner, issued.token))
    else:
        typer.echo(issued.token)
