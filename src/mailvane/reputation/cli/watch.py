"""`mailvane watch`: the addresses and domains that outside sources are asked about."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import typer
from rich.table import Table

from mailvane.core.cli.rendering import moment, print_json, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.cli.program import ReputationProgram, reputation_program
from mailvane.reputation.model import SOURCES, Asset, AssetKind

_WORKSPACE = typer.Option(None, help="Whose; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_KIND = typer.Argument(metavar="KIND", help=f"{', '.join(each for each in AssetKind if each is not AssetKind.SNDS)}.")
_NAMES = typer.Argument(metavar="NAME...", help="Addresses, networks, domains or mail addresses, as the kind has them.")

group = typer.Typer(help="What outside sources are asked about.", no_args_is_help=True)


class Watched(msgspec.Struct, frozen=True):
    """Something that is watched, and how it went to ask about it; its secret is shown to nobody."""

    id: str
    kind: AssetKind
    name: str
    status: str
    created_at: int
    updated_at: int
    error: str


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="watch")


@group.command(name="list")
def list_(
    context: typer.Context,
    kind: AssetKind | None = typer.Option(None, help="Only of this kind."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """List what is watched, and when its source was asked about it with success."""
    program = reputation_program(context)
    owner, watched = _workspace(program, workspace), program.watched_assets()
    _show(program, [each for one in ([kind] if kind else AssetKind) for each in watched.assets(owner, one)], as_json)


@group.command()
def add(
    context: typer.Context,
    kind: AssetKind = _KIND,
    names: list[str] = _NAMES,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Watch them; a running server asks within seconds. Those that are watched already stay as they are."""
    if kind is AssetKind.SNDS:
        raise InvalidInput("a key of SNDS is a secret: `mailvane api POST /api/v1.0/snds/creds --body -`")
    program = reputation_program(context)
    _show(program, program.watched_assets().add(_workspace(program, workspace), kind, names, program.now()), as_json)


@group.command()
def remove(
    context: typer.Context, kind: AssetKind = _KIND, names: list[str] = _NAMES, workspace: str | None = _WORKSPACE
) -> None:
    """Watch them no longer. What was observed stays."""
    program = reputation_program(context)
    owner, watched = _workspace(program, workspace), program.watched_assets()
    wanted = {name: None for given in names for name in normalized(kind, given)}
    found = watched.named(owner, kind, wanted)
    if missing := wanted.keys() - {each.name for each in found}:
        raise InvalidInput(f"not watched: {', '.join(sorted(missing)[:5])}")
    for each in found:
        watched.remove(owner, kind, each.id)
        typer.echo(f"{each.name}: watched no longer")


@group.command()
def ask(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Have every source asked now about all that is watched; a running server does it soon. Not twice in a minute."""
    program = reputation_program(context)
    counts = program.watched_assets().ask_all_now(_workspace(program, workspace), program.now())
    if as_json:
        print_json({source.value: count for source, count in counts.items()})
        return
    for source, count in counts.items():
        typer.echo(f"{SOURCES[source].title}: about {count:,}")
    if not counts:
        typer.echo("nothing is watched that a source can be asked about: `mailvane watch add ip 192.0.2.7`")


def _show(program: ReputationProgram, assets: Sequence[Asset], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                Watched(one.id, one.kind, one.name, one.status, one.created_at, one.updated_at, one.error)
                for one in assets
            ]
        )
        return
    table = Table("kind", "name", "state", "asked", "error", box=None)
    for one in assets:
        table.add_row(one.kind, one.name, one.status, moment(one.updated_at, program.zone), one.error)
    print_table(table, "nothing is watched yet: `mailvane watch add ip 192.0.2.7`", "name")


def _workspace(program: ReputationProgram, name: str | None) -> int:
    return chosen_workspace(program.tenancy(), name).id
