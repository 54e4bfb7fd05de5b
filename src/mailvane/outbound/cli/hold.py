"""`mailvane hold`: mail of a domain or login that a mail server takes in and keeps, until it is let go."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.table import Table

from mailvane.core.cli.rendering import moment, print_json, print_table
from mailvane.core.errors import NotFound, NotPossible
from mailvane.outbound.cli.program import OutboundProgram, outbound_program
from mailvane.outbound.holds import HoldKind, held_name
from mailvane.outbound.postfix_queue import (
    QueuedMail,
    Whose,
    can_release,
    held_mails,
    how_to_release,
    kept_by_hold,
    let_go,
    of_sender,
)

_KIND = typer.Argument(help="domain or login.")
_NAME = typer.Argument(help="A domain, or a SASL login.")
_JSON = typer.Option(False, "--json", help="Print JSON.")

group = typer.Typer(help="Domains and logins whose mail is held.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="hold")


@group.command(name="list")
def list_(context: typer.Context, as_json: bool = _JSON) -> None:
    """List what is on hold."""
    program = outbound_program(context)
    found = program.holds().all()
    if as_json:
        print_json(found)
        return
    table = Table("kind", "name", "since", "by", "note", box=None)
    for each in found:
        table.add_row(each.kind, each.name, moment(each.held_at, program.zone), each.actor, each.note)
    print_table(table, "nothing is on hold", "name")


@group.command(name="set")
def set_(
    context: typer.Context,
    kind: HoldKind = _KIND,
    name: str = _NAME,
    note: str = typer.Option("", help="Why, for people."),
) -> None:
    """Hold mail of a domain or login from now on: Postfix takes it in and keeps it in its hold queue."""
    program = outbound_program(context)
    made = program.holds().hold(kind, name, "command line", program.now(), note)
    typer.echo(f"{made.kind} {made.name}: on hold")


@group.command()
def release(
    context: typer.Context,
    kind: HoldKind = _KIND,
    name: str = _NAME,
    queue: bool | None = typer.Option(
        None, "--queue/--no-queue", help="Let go what Postfix holds here; by default where its commands can be run."
    ),
) -> None:
    """Let new mail pass again, and what Postfix holds go; or say how."""
    program = outbound_program(context)
    try:
        found = program.holds().release(kind, name)
        typer.echo(f"{kind} {found}: released; new mail passes")
    except NotFound as error:
        if not queue:
            raise
        found = held_name(kind, name)
        typer.echo(error.message)  # as it is where it was released before: what is kept still can be let go
    waiting = None if queue is False else _waiting(required=queue is True)
    if waiting is None:
        typer.echo(f"what Postfix holds is let go on its machine by:\n  {how_to_release(kind, found)}")
        return
    ids = _kept(program, waiting, Whose(kind, found)) if waiting else []
    let_go(ids)
    typer.echo(f"let go {len(ids):,} held mails")
    rest = len(set(of_sender(waiting, found)).difference(ids)) if kind is HoldKind.DOMAIN else 0
    if rest:
        typer.echo(f"{rest:,} more of {found} stay held: by another rule, or not in the mail log. To let them go, too:")
        typer.echo(f"  {how_to_release(kind, found)}")


def _waiting(*, required: bool) -> list[QueuedMail] | None:
    """Postfix's hold queue; None where there is no Postfix here that answers. Raises NotPossible if it is required."""
    if not required and not can_release():
        return None
    try:
        return held_mails()
    except NotPossible as error:
        if required:
            raise
        typer.echo(f"the hold queue cannot be read here: {error.message}")
        return None


def _kept(program: OutboundProgram, waiting: Sequence[QueuedMail], whose: Whose) -> list[str]:
    """Queue ids of what was kept for this hold."""
    tenancy = program.tenancy()
    relays = {each.id: tuple(one.id for one in tenancy.relays(each.id)) for each in tenancy.workspaces()}
    with program.maillog() as maillog:
        return kept_by_hold(maillog, relays, waiting, whose, program.now())
