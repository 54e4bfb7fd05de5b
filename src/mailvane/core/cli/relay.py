"""`mailvane relay`: create, list, set."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeVar

import msgspec
import typer
from rich.table import Table

from mailvane.core.cli.program import tenants_program
from mailvane.core.cli.rendering import print_json, print_record, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput

if TYPE_CHECKING:
    from mailvane.core.tenants.model import Relay

T = TypeVar("T", bound=msgspec.Struct)

group = typer.Typer(help="The streams of outgoing mail of a workspace.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="relay")


@group.command()
def create(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="The workspace it belongs to."),
    comment: str = typer.Option("", help="Anything that helps you to recognise it."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Create a relay and print its id."""
    program = tenants_program(context)
    tenancy = program.tenancy()
    found = tenancy.create_relay(chosen_workspace(tenancy, workspace).id, comment, program.now())
    if as_json:
        print_json(found)
    else:
        typer.echo(found.id)


@group.command(name="list")
def list_(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="Only this workspace."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List relays."""
    tenancy = tenants_program(context).tenancy()
    chosen = [tenancy.workspace(workspace)] if workspace else tenancy.workspaces()
    found = [(one, relay) for one in chosen for relay in tenancy.relays(one.id)]
    if as_json:
        print_json([relay for _, relay in found])
        return
    table = Table("id", "workspace", "state", "billing day", "price", "comment", box=None)
    for one, relay in found:
        state = "active" if relay.active else "canceled"
        table.add_row(str(relay.id), one.name, state, str(relay.billing_day), _price(relay), relay.comment)
    print_table(table, "there are no relays yet: `mailvane relay create`")


@group.command(name="set")
def set_(  # noqa: PLR0913  each option is a field of the relay
    context: typer.Context,
    relay: int = typer.Argument(help="The relay's id."),
    comment: str | None = typer.Option(None, help="Anything that helps you to recognise it."),
    active: bool | None = typer.Option(None, "--active/--canceled", help="Whether it still sends mail."),
    billing_day: int | None = typer.Option(None, min=1, max=28, help="Day of the month on which a cycle begins."),
    base: str | None = typer.Option(None, help="Price of a billing cycle before any mail, such as 1.00."),
    per_thousand: str | None = typer.Option(None, help="Price of a thousand mails, such as 0.20."),
    currency: str | None = typer.Option(None, help="ISO 4217 code of the prices."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change a relay: comment, state, billing day, price."""
    tenancy = tenants_program(context).tenancy()
    old = tenancy.relay(relay)
    price = _changed(old.price, base=_amount(base), per_thousand=_amount(per_thousand), currency=currency)
    changed = _changed(old, comment=comment, active=active, billing_day=billing_day, price=price)
    found = tenancy.change_relay(changed)
    if as_json:
        print_json(found)
        return
    state = "active" if found.active else "canceled"
    fields = {"state": state, "comment": found.comment, "billing day": found.billing_day, "price": _price(found)}
    print_record(f"relay {found.id}", fields)


def _changed(value: T, **fields: object) -> T:
    """The value with the fields that were given."""
    return msgspec.structs.replace(value, **{name: one for name, one in fields.items() if one is not None})


def _price(relay: Relay) -> str:
    price = relay.price
    return f"{price.base} + {price.per_thousand} per thousand, {price.currency}"


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise InvalidInput(f"{text!r} is not an amount of money") from None
    if not amount.is_finite() or amount < 0:
        raise InvalidInput(f"{text!r} is not an amount of money")
    return amount
