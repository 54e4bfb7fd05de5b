"""`mailvane suppression`: recipients that mail is not to go to, and who was spared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, is_narrow, moment, print_csv, print_json, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.outbound.cli.program import OutboundProgram, outbound_program
from mailvane.outbound.suppression import SuppressionReason
from mailvane.outbound.suppression_list import CSV_COLUMNS, Said, SuppressionStanding

_ADDRESS = typer.Argument(help="A mail address.")
_WORKSPACE = typer.Option(None, help="The workspace; by default the only one.")
_DAY = 10  # characters of a moment that tell its day
_JSON = typer.Option(False, "--json", help="Print JSON.")
_EXPIRED = typer.Option(False, "--expired", help="Also what holds no more.")

group = typer.Typer(help="Recipients that mail is not to go to.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="suppression")


@group.command(name="list")
def list_(  # noqa: PLR0913  each option chooses among the rows
    context: typer.Context,
    workspace: str | None = _WORKSPACE,
    reason: SuppressionReason | None = typer.Option(None, help="Only this reason."),
    after: str = typer.Option("", help="Only addresses behind this one."),
    limit: int = typer.Option(100, min=1, max=10_000, help="How many at most."),
    expired: bool = _EXPIRED,
    as_json: bool = _JSON,
) -> None:  # fmt: skip
    """List addresses with their reasons, by address."""
    program, chosen = _place(context, workspace)
    found = program.suppressions().page(
        chosen, program.now(), after=after, limit=limit, expired=expired, reason=reason
    )  # fmt: skip
    _show(program, found, as_json)


@group.command()
def show(
    context: typer.Context, address: str = _ADDRESS, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Show whether mail may go to an address, and why not."""
    program, chosen = _place(context, workspace)
    found = program.suppressions().of(chosen, address, program.now())
    if not found and not as_json:
        typer.echo(f"{address} is not on the suppression list")
        return
    _show(program, found, as_json)


@group.command()
def add(
    context: typer.Context,
    address: str = _ADDRESS,
    workspace: str | None = _WORKSPACE,
    reason: SuppressionReason = typer.Option(SuppressionReason.MANUAL, help="Why."),
    days: int | None = typer.Option(None, min=1, max=36_500, help="For so many days; else as the settings say."),
    note: str = typer.Option("", help="For people."),
) -> None:
    """Put an address on the list."""
    program, chosen = _place(context, workspace)
    now = program.now()
    ends = None if days is None else now + days * DAY_MS
    said = Said(reason=reason, expires_at=ends, source="command line", note=note)
    made = program.suppressions().add(chosen, address, said, now)
    until = "for ever" if made.ends_at is None else f"until {moment(made.ends_at, program.zone)}"
    typer.echo(f"{made.address}: {made.reason}, {until}")


@group.command()
def remove(
    context: typer.Context,
    address: str = _ADDRESS,
    workspace: str | None = _WORKSPACE,
    reason: SuppressionReason | None = typer.Option(None, help="Only this reason; by default all."),
) -> None:
    """Let mail go to an address again."""
    program, chosen = _place(context, workspace)
    program.suppressions().remove(chosen, address, reason)
    typer.echo(f"{address}: no longer on the suppression list{f' as {reason}' if reason else ''}")


@group.command(name="import")
def import_(
    context: typer.Context,
    file: str = typer.Argument(help="A CSV file with a column address or email; `-`: standard input."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Bring in addresses: columns address (or email), reason, noticed_at, expires_at, note; or an address a line."""
    program, chosen = _place(context, workspace)
    if file == "-":
        done = program.suppressions().take_csv(chosen, sys.stdin, program.now(), "standard input")
    else:
        path = Path(file)
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                done = program.suppressions().take_csv(chosen, lines, program.now(), path.name)
        except UnicodeDecodeError:
            raise InvalidInput(f"{file} is not in UTF-8") from None
    if as_json:
        print_json(done)
        return
    for each in done.first_refused:
        typer.echo(f"line {each.line}: {each.why}", err=True)
    if done.refused > len(done.first_refused):
        typer.echo(f"and {done.refused - len(done.first_refused):,} more", err=True)
    typer.echo(f"{done.taken:,} taken, {done.refused:,} refused")


@group.command()
def export(context: typer.Context, workspace: str | None = _WORKSPACE, expired: bool = _EXPIRED) -> None:
    """Print the list as CSV, which `import` reads."""
    program, chosen = _place(context, workspace)
    print_csv(CSV_COLUMNS, program.suppressions().csv_rows(chosen, program.now(), expired=expired))


@group.command()
def stats(
    context: typer.Context,
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=3_650, help="Of so many days, today among them."),
    as_json: bool = _JSON,
) -> None:
    """Count addresses by reason, and mails that were spared."""
    program, chosen = _place(context, workspace)
    found = program.suppressions().summary(chosen, program.now(), days)
    if as_json:
        print_json(found)
        return
    typer.echo(f"check: {found.mode}")
    table = Table("reason", "addresses", "spared", "warned", box=None)
    for reason in SuppressionReason:
        met = [each for each in found.days if each.reason is reason]
        spared, warned = sum(each.spared for each in met), sum(each.warned for each in met)
        table.add_row(reason, f"{found.addresses.get(reason, 0):,}", f"{spared:,}", f"{warned:,}")
    console().print(table)
    since = datetime.fromtimestamp((program.now() - (days - 1) * DAY_MS) / 1000, UTC).date()
    typer.echo(f"spared and warned: mails since {since} (UTC)")


def _place(context: typer.Context, workspace: str | None) -> tuple[OutboundProgram, int]:
    program = outbound_program(context)
    return program, chosen_workspace(program.tenancy(), workspace).id


def _show(program: OutboundProgram, found: Sequence[SuppressionStanding], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    narrow = is_narrow()
    shown = _DAY if narrow else None  # characters of a moment
    table = Table("address", "reason", "since", "until", *(() if narrow else ("spared", "warned", "from")), box=None)
    for each in found:
        ends = "for ever" if each.ends_at is None else moment(each.ends_at, program.zone)[:shown]
        until = ends if each.holds else f"ended {ends}"
        since = moment(each.noticed_at, program.zone)[:shown]
        more = () if narrow else (f"{each.spared:,}", f"{each.warned:,}", each.source)
        table.add_row(each.address, each.reason, since, until, *more)
    print_table(table, "no address is suppressed", "address")
