"""`mailvane limit`: how many mails a mailbox, a login or a domain may send in an hour, a day and a month."""

from __future__ import annotations

import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, print_json, print_table
from mailvane.core.errors import InvalidInput
from mailvane.outbound.cli.program import outbound_program
from mailvane.outbound.model import EVERY, LimitKind, LimitWindow, SenderLimit

_KIND = typer.Argument(help="mailbox, login or domain.")
_NAME = typer.Argument(help=f"An address, a SASL login or a domain; `{EVERY}`: all that have no limit of their own.")
_JSON = typer.Option(False, "--json", help="Print JSON.")

group = typer.Typer(help="Limits of mailboxes, logins and domains.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="limit")


@group.command(name="list")
def list_(context: typer.Context, as_json: bool = _JSON) -> None:
    """List all limits."""
    found = outbound_program(context).send_limits().all()
    if as_json:
        print_json(found)
        return
    table = Table("kind", "name", "an hour", "a day", "a month", box=None)
    for limit in found:
        table.add_row(limit.kind, limit.name, *(_number(getattr(limit, window.value)) for window in LimitWindow))
    print_table(table, "no limits are set: `mailvane limit set`", "name")


@group.command(name="set")
def set_(  # noqa: PLR0913  each option is a window
    context: typer.Context,
    kind: LimitKind = _KIND,
    name: str = _NAME,
    hourly: int | None = typer.Option(None, min=0, help="Mails an hour (UTC)."),
    daily: int | None = typer.Option(None, min=0, help="Mails a day (UTC)."),
    monthly: int | None = typer.Option(None, min=0, help="Mails a month (UTC)."),
    as_json: bool = _JSON,
) -> None:
    """Limit a mailbox, login or domain in these windows, in place of those that it has; 0 lets none pass."""
    windows = {"hourly": hourly, "daily": daily, "monthly": monthly}
    if all(most is None for most in windows.values()):
        raise InvalidInput("say --hourly, --daily or --monthly")
    limit = outbound_program(context).send_limits().set(kind, name, windows)
    if as_json:
        print_json(limit)
    else:
        typer.echo(f"{limit.kind} {limit.name}: {_told(limit)}")


@group.command()
def show(context: typer.Context, kind: LimitKind = _KIND, name: str = _NAME, as_json: bool = _JSON) -> None:
    """Show what holds for a mailbox, login or domain, and how much of it is used."""
    program = outbound_program(context)
    found = program.send_limits().standing(kind, name, program.now())
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found.kind} {found.name}{f', by the limit of all ({EVERY})' if found.by_default else ''}")
    table = Table("window", "sent", "of", box=None)
    for each in found.windows:
        table.add_row(each.window, f"{each.sent:,}", f"{each.most:,}")
    console().print(table)


@group.command()
def remove(context: typer.Context, kind: LimitKind = _KIND, name: str = _NAME) -> None:
    """Take a limit back."""
    outbound_program(context).send_limits().remove(kind, name)
    typer.echo(f"{kind} {name}: no limit of its own")


def _told(limit: SenderLimit) -> str:
    return ", ".join(f"{most:,} {window}" for window, most in limit.windows)


def _number(most: int | None) -> str:
    return "-" if most is None else f"{most:,}"
