"""`mailvane address` and `mailvane alias`: add, list, set, disable, enable, remove."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.inbound.addresses import Addresses, Terms, canonical
from mailvane.inbound.cli.program import Desk, desk
from mailvane.inbound.model import Address, AddressType
from mailvane.inbound.questions import AddressQuestion
from mailvane.inbound.weeks import week_start

addresses = typer.Typer(help="The addresses that mail is taken in for.", no_args_is_help=True)
aliases = typer.Typer(help="Aliases: addresses whose mail goes to a mailbox of another name.", no_args_is_help=True)
_AS_SETTINGS = "default"
_NAME = typer.Argument(help="The address.")
_WORKSPACE = typer.Option(None, help="The workspace; by default the only one.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_LABEL = typer.Option(None, help="Anything that helps you to recognise it.")
_LIMIT = typer.Option(None, min=0, max=2**31 - 1, help="Messages a week; 0: no limit of its own.")
_HELD = typer.Option(None, help=f"Spam score from which mail is held; {_AS_SETTINGS}: as the settings say.")
_REFUSED = typer.Option(None, help=f"Spam score from which mail is refused; {_AS_SETTINGS}: as the settings say.")


def register(app: typer.Typer) -> None:
    app.add_typer(addresses, name="address")
    app.add_typer(aliases, name="alias")


@addresses.command()
def add(  # noqa: PLR0913  each option is a field of the address
    context: typer.Context,
    name: str = _NAME,
    relay: bool = typer.Option(
        False, "--relay", help="Of a domain whose unlisted addresses pass: with own thresholds."
    ),
    label: str | None = _LABEL,
    weekly_limit: int | None = _LIMIT,
    quarantine_at: str | None = _HELD,
    reject_at: str | None = _REFUSED,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Take in mail for a mailbox of the mail server behind."""
    kind = AddressType.RELAY if relay else AddressType.MAILBOX
    terms = _terms(label=label, weekly_limit=weekly_limit, quarantine_at=quarantine_at, reject_at=reject_at)
    at = desk(context, workspace)
    _show(at, Addresses(at.services.stores).create(at.workspace, kind, name, terms, at.entry), as_json)


@aliases.command(name="add")
def add_alias(  # noqa: PLR0913  each option is a field of the address
    context: typer.Context,
    name: str = _NAME,
    mailbox: str = typer.Argument(help="The mailbox that its mail goes to."),
    label: str | None = _LABEL,
    weekly_limit: int | None = _LIMIT,
    quarantine_at: str | None = _HELD,
    reject_at: str | None = _REFUSED,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Take in mail for an alias of a mailbox."""
    at = desk(context, workspace)
    terms = _terms(
        mailbox=_one(at, mailbox).id, label=label, weekly_limit=weekly_limit, quarantine_at=quarantine_at,
        reject_at=reject_at,
    )  # fmt: skip
    made = Addresses(at.services.stores).create(at.workspace, AddressType.ALIAS, name, terms, at.entry)
    _show(at, made, as_json)


@addresses.command(name="list")
def list_(
    context: typer.Context,
    kind: AddressType | None = typer.Option(None, "--type", help="Only of this type."),
    workspace: str | None = _WORKSPACE,
    most: int = typer.Option(100, "--limit", min=0, help="Rows at most; 0: all."),
    as_json: bool = _JSON,
) -> None:
    """List addresses, the newest first."""
    _list(desk(context, workspace), kind, None, most, as_json)


@aliases.command(name="list")
def list_aliases(
    context: typer.Context,
    mailbox: str | None = typer.Option(None, help="Only those of this mailbox."),
    workspace: str | None = _WORKSPACE,
    most: int = typer.Option(100, "--limit", min=0, help="Rows at most; 0: all."),
    as_json: bool = _JSON,
) -> None:
    """List aliases, the newest first."""
    at = desk(context, workspace)
    _list(at, AddressType.ALIAS, None if mailbox is None else _one(at, mailbox).id, most, as_json)


@addresses.command(name="set")
@aliases.command(name="set")
def set_(  # noqa: PLR0913  each option is a field of the address
    context: typer.Context,
    name: str = _NAME,
    mailbox: str | None = typer.Option(None, help="Of an alias: the mailbox that its mail goes to."),
    label: str | None = _LABEL,
    weekly_limit: int | None = _LIMIT,
    quarantine_at: str | None = _HELD,
    reject_at: str | None = _REFUSED,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Change an address: mailbox of an alias, label, weekly limit, thresholds."""
    at = desk(context, workspace)
    terms = _terms(
        mailbox=None if mailbox is None else _one(at, mailbox).id, label=label, weekly_limit=weekly_limit,
        quarantine_at=quarantine_at, reject_at=reject_at,
    )  # fmt: skip
    _show(at, Addresses(at.services.stores).change(_one(at, name), terms, at.entry), as_json)


@addresses.command()
@aliases.command()
def disable(
    context: typer.Context, name: str = _NAME, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Take no mail for an address for now: senders are asked to try again later."""
    at = desk(context, workspace)
    _show(at, Addresses(at.services.stores).change(_one(at, name), Terms(active=False), at.entry), as_json)


@addresses.command()
@aliases.command()
def enable(
    context: typer.Context, name: str = _NAME, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Take mail for an address again."""
    at = desk(context, workspace)
    _show(at, Addresses(at.services.stores).change(_one(at, name), Terms(active=True), at.entry), as_json)


@addresses.command()
@aliases.command()
def remove(
    context: typer.Context, name: str = _NAME, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Remove an address: its mail is refused for good. A mailbox must have no aliases any more."""
    at = desk(context, workspace)
    gone = _one(at, name)
    Addresses(at.services.stores).remove(gone, at.entry)
    if as_json:
        print_json(gone)
    else:
        typer.echo(f"no mail for {gone.address} is taken in any more")


def _terms(*, quarantine_at: str | None, reject_at: str | None, **given: Any) -> Terms:
    """Of what is not None. Raises InvalidInput."""
    scores = {"quarantine_at": quarantine_at, "reject_at": reject_at}
    read: dict[str, Any] = {option: _score(option, text) for option, text in scores.items() if text is not None}
    return Terms(**read, **{name: value for name, value in given.items() if value is not None})


def _score(option: str, text: str) -> float | None:
    if text == _AS_SETTINGS:
        return None
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise InvalidInput(f"--{option.replace('_', '-')}: expected a score, or {_AS_SETTINGS}")
    return score


def _one(at: Desk, name: str) -> Address:
    found = at.services.stores.addresses.address(at.workspace, canonical(name))
    if found is None:
        raise NotFound(f"there is no address {name}")
    return found


def _list(at: Desk, kind: AddressType | None, mailbox: str | None, most: int, as_json: bool) -> None:
    store = at.services.stores.addresses
    question = AddressQuestion(workspace=at.workspace, type=kind, mailbox=mailbox)
    page = store.page(question, 0, most or 2**31)
    if as_json:
        print_json(page.addresses)
        return
    boxes = store.by_id(sorted({one.mailbox for one in page.addresses if one.mailbox}))
    _print(at, page.addresses, {one: box.address for one, box in boxes.items()})
    if len(page.addresses) < page.total:
        console().print(f"{page.total - len(page.addresses):,} more: --limit 0 shows all", style="dim")


def _print(at: Desk, found: Sequence[Address], boxes: dict[str, str]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("address", overflow="fold")
    table.add_column("goes to", overflow="fold")
    table.add_column("this week", justify="right")
    table.add_column("held", justify="right")
    table.add_column("refused", justify="right")
    for one in found:
        target = boxes.get(one.mailbox or "", "") if one.type is AddressType.ALIAS else one.type.value
        name = Text(one.address) if one.active else Text.assemble(one.address, (" disabled", "red"))
        table.add_row(name, Text(target), _week(at, one), _threshold(one.quarantine_at), _threshold(one.reject_at))
    console().print(table)


def _week(at: Desk, one: Address) -> str:
    teams = at.services.stores.teams
    week = week_start(at.now, ZoneInfo(teams.team(at.workspace).zone))
    used = f"{teams.used(at.workspace, week, one.id):,}"
    return f"{used} of {one.weekly_limit:,}" if one.weekly_limit else used


def _threshold(score: float | None) -> str:
    return "-" if score is None else f"from {score:g}"


def _show(at: Desk, one: Address, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    box = at.services.stores.addresses.address(at.workspace, one.mailbox) if one.mailbox else None
    fields = {
        "type": one.type.value,
        "goes to": one.address if box is None else box.address,
        "state": "active" if one.active else "disabled",
        "label": one.label,
        "this week": _week(at, one),
        "held": "as the settings say" if one.quarantine_at is None else _threshold(one.quarantine_at),
        "refused": "as the settings say" if one.reject_at is None else _threshold(one.reject_at),
        "since": moment(one.created_at, at.place.zone),
    }
    print_record(one.address, fields)
