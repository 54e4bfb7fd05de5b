"""`mailvane key`: create, list, set, revoke."""

from __future__ import annotations

import msgspec
import typer
from rich.table import Table

from mailvane.core.cli.program import Program, tenants_program
from mailvane.core.cli.rendering import moment, print_json, print_record, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.cli.times import GIVEN, coming
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import Key, KeyKind

group = typer.Typer(help="The keys that open a workspace to programs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="key")


class CreatedKey(msgspec.Struct, frozen=True):
    """A new key; the only time that its token is shown."""

    id: int
    kind: KeyKind
    workspace: int | None
    token: str
    expires_at: str | None = None


class ListedKey(msgspec.Struct, frozen=True):
    """What is known of a key. Times are ISO 8601, UTC."""

    id: int
    kind: KeyKind
    workspace: int | None
    workspace_name: str | None
    hint: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


_UNTIL = f"When it stops to open: {GIVEN}."


@group.command()
def create(
    context: typer.Context,
    kind: KeyKind = typer.Option(..., help="workspace, client or platform."),
    workspace: str | None = typer.Option(None, help="The workspace that it opens; none for a platform key."),
    expires: str | None = typer.Option(None, help=_UNTIL),
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
    now = program.now()
    issued = tenancy.create_key(kind, owner, now, None if expires is None else coming(expires, now))
    if as_json:
        print_json(CreatedKey(issued.key.id, kind, owner, issued.token, _iso(issued.key.expires_at)))
    else:
        typer.echo(issued.token)


@group.command(name="list")
def list_(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="Only this workspace."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List keys: what they open, how their token begins, when each was last used. Never their secrets."""
    program = tenants_program(context)
    tenancy = program.tenancy()
    found = tenancy.keys(tenancy.workspace(workspace).id if workspace is not None else None)
    names = {one.id: one.name for one in tenancy.workspaces()}
    if as_json:
        print_json([_listed(one, names) for one in found])
        return
    table = Table("id", "kind", "begins", "last used", "expires", "workspace", box=None)
    for one in found:
        used, name = moment(one.last_used_at or 0, program.zone), names.get(one.workspace or 0, "every one")
        table.add_row(str(one.id), one.kind.value, f"{one.hint[:8]}…", used, _shown_expiry(one, program), name)
    print_table(table, "there are no keys yet: `mailvane key create`", "begins")


@group.command(name="set")
def set_(
    context: typer.Context,
    key: int = typer.Argument(min=1, help="The key's id, as `mailvane key list` shows it."),
    expires: str = typer.Option(..., help=f"{_UNTIL} `never`: until it is revoked."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change until when a key opens."""
    program = tenants_program(context)
    now = program.now()
    changed = program.tenancy().expire_key(key, None if expires == "never" else coming(expires, now), now)
    if as_json:
        print_json(_listed(changed, {one.id: one.name for one in program.tenancy().workspaces()}))
    else:
        print_record(f"key {changed.id}", {"kind": changed.kind, "expires": _shown_expiry(changed, program)})


@group.command()
def revoke(
    context: typer.Context,
    keys: list[int] = typer.Argument(min=1, help="Ids of keys, as `mailvane key list` shows them."),
) -> None:
    """Take keys back: within a second no server lets anybody in with them. What was done with them stays."""
    tenancy = tenants_program(context).tenancy()
    for found in [tenancy.key(each) for each in dict.fromkeys(keys)]:  # all are looked up before one is revoked
        tenancy.revoke_key(found.id)
        typer.echo(f"revoked key {found.id} ({found.kind}, {found.hint}…)")


def _listed(key: Key, names: dict[int, str]) -> ListedKey:
    return ListedKey(
        id=key.id,
        kind=key.kind,
        workspace=key.workspace,
        workspace_name=None if key.workspace is None else names.get(key.workspace),
        hint=key.hint,
        created_at=iso_text(key.created_at),
        expires_at=_iso(key.expires_at),
        last_used_at=_iso(key.last_used_at),
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso_text(ms)


def _shown_expiry(key: Key, program: Program) -> str:
    if key.expires_at is None:
        return "never"
    return "expired" if key.expired(program.now()) else moment(key.expires_at, program.zone)
