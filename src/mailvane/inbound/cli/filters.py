"""`mailvane filter`: list, add, enable, disable, remove, move, test."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.inbound.cli.program import Desk, desk
from mailvane.inbound.dry_run import DAYS, DryRun, dry_run
from mailvane.inbound.filter_words import COMPONENTS, OPERATORS, words
from mailvane.inbound.filters import Filters, Wanted
from mailvane.inbound.model import Filter, FilterAction

group = typer.Typer(help="Rules that deliver or deny mail: the first that matches decides.", no_args_is_help=True)
_FILTER = typer.Argument(help="Name or id of the filter.")
_ACTION = typer.Option(None, help="allow: it is delivered, whatever its score below the rejection; or deny.")
_IF = typer.Option(
    [],
    "--if",
    help=f"`COMPONENT OPERATOR VALUE`, of which all must hold. Components: {', '.join(COMPONENTS)}; a header field as"
    f" header:NAME. Operators: {', '.join(OPERATORS)}.",
)
_IF_ANY = typer.Option([], "--if-any", help="Likewise; of all of these at least one must hold.")
_ADDRESS = typer.Option(None, help="Only for mail to this address.")
_POSITION = typer.Option(0, min=0, help="Its place, from 1; 0: behind all others.")
_WORKSPACE = typer.Option(None, help="The workspace; by default the only one.")
_JSON = typer.Option(False, "--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="filter")


@group.command(name="list")
def list_(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """List filters in their order."""
    at = desk(context, workspace)
    found = at.services.stores.filters.filters(at.workspace)
    if as_json:
        print_json(found)
        return
    names = at.services.stores.addresses.by_id(sorted({one.address for one in found if one.address}))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("filter", overflow="fold")
    table.add_column("action")
    table.add_column("when", overflow="fold")
    for one in found:
        name = Text(one.name) if one.active else Text.assemble(one.name, (" disabled", "red"))
        to = f"to {names[one.address].address}: " if one.address in names else ""
        style = "red" if one.action is FilterAction.DENY else "green"
        table.add_row(str(one.position), name, Text(one.action.value, style), Text(f"{to}{words(one)}"))
    console().print(table)


@group.command()
def add(  # noqa: PLR0913  each option is a part of the filter
    context: typer.Context,
    name: str = typer.Argument(help="What it is called."),
    action: FilterAction | None = _ACTION,
    every: list[str] = _IF,
    some: list[str] = _IF_ANY,
    address: str | None = _ADDRESS,
    position: int = _POSITION,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Add a filter. `mailvane filter test` says beforehand what it would have done."""
    at = desk(context, workspace)
    wanted = Wanted(name=name, action=action, every=every, some=some, address=address, position=position)
    _told(_filters(at).create(wanted), as_json)


@group.command()
def enable(
    context: typer.Context, name: str = _FILTER, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Let a filter decide again, at the place that it has kept."""
    _told(_filters(desk(context, workspace)).switch(name, active=True), as_json)


@group.command()
def disable(
    context: typer.Context, name: str = _FILTER, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Let a filter decide about nothing, and keep it at its place."""
    _told(_filters(desk(context, workspace)).switch(name, active=False), as_json)


@group.command()
def move(
    context: typer.Context,
    name: str = _FILTER,
    position: int = typer.Argument(min=1, help="Its new place, from 1."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Give a filter another place: the first that matches decides."""
    _told(_filters(desk(context, workspace)).move(name, position), as_json)


@group.command()
def remove(
    context: typer.Context, name: str = _FILTER, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Remove a filter."""
    gone = _filters(desk(context, workspace)).remove(name)
    if as_json:
        print_json(gone)
    else:
        typer.echo(f"the filter {gone.name} is gone")


@group.command(name="test")
def try_out(  # noqa: PLR0913  each option is a part of the filter
    context: typer.Context,
    name: str | None = typer.Argument(None, help="Name or id of a filter; none: of one that the options describe."),
    action: FilterAction | None = _ACTION,
    every: list[str] = _IF,
    some: list[str] = _IF_ANY,
    address: str | None = _ADDRESS,
    position: int = _POSITION,
    days: int = typer.Option(DAYS, min=1, max=3660, help="How far to look back."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Say what a filter would have done to the messages of the last days. Nothing is changed."""
    at = desk(context, workspace)
    if name is not None and (action or every or some or address):
        raise InvalidInput("say either the name of a filter, or describe one")
    wanted = Wanted(name="this filter", action=action, every=every, some=some, address=address, position=position)
    rule = _filters(at).drafted(wanted) if name is None else _filters(at).one(name)
    found = dry_run(at.services, rule, at.now - days * DAY_MS)
    if as_json:
        print_json(found)
    else:
        _print(at, found, days)


def _print(at: Desk, found: DryRun, days: int) -> None:
    out, denies = console(), found.action is FilterAction.DENY
    fate = "denied" if denies else "delivered"
    out.print(f"{found.messages:,} messages of the last {days} days:")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", min_width=9)
    table.add_column(overflow="fold")
    was = ", ".join(f"{count:,} {status}" for status, count in sorted(found.was.items()))
    table.add_row(
        f"{found.decided:,}", f"would have been {fate} by {found.filter}" + (f"; they were: {was}" if was else "")
    )
    table.add_row(f"{found.changed:,}", "of those would have fared otherwise than they did")
    table.add_row(f"{found.unmatched:,}", "do not match")
    table.add_row(f"{found.earlier:,}", "are decided before it, or go to an address that it is not for")
    if found.unknown:
        table.add_row(Text(f"{found.unknown:,}", "yellow"), "cannot be judged: their content is not kept any more")
    out.print(table)
    if not found.examples:
        return
    shown = Table(box=None, header_style="bold", pad_edge=False, title="\nthe newest of them", title_justify="left")
    shown.add_column("received", no_wrap=True)
    shown.add_column("was", no_wrap=True)
    shown.add_column("from", overflow="fold", ratio=1)
    shown.add_column("subject", overflow="fold", ratio=1)
    for one in found.examples:
        at_ = moment(one.received_at, at.place.zone)[5:16]
        shown.add_row(at_, one.status.value, Text(one.from_address or one.sender), Text(one.subject))
    out.print(shown)


def _filters(at: Desk) -> Filters:
    return Filters(at.services.stores, at.workspace, at.entry)


def _told(rule: Filter, as_json: bool) -> None:
    if as_json:
        print_json(rule)
    else:
        state = "" if rule.active else ", disabled"
        typer.echo(f"{rule.position}. {rule.name}{state}: {rule.action.value} when {words(rule)}")
