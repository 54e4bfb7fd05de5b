"""`mailvane check`: what blocklists say of addresses and domains, at this moment."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, print_json
from mailvane.reputation.blocklists import Findings, Outcome, Verdict
from mailvane.reputation.cli.program import reputation_program
from mailvane.reputation.model import AssetKind

LISTED, UNKNOWN = 3, 2  # status of the command; 1 is for errors
_HELP = "Ask blocklists about addresses and domains; ends with status 3 when one is listed, 2 when one is unknown."

group = typer.Typer(help=_HELP, no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="check")


@group.callback(help=_HELP)
def _group() -> None: ...


@group.command(name="ip")
def ip(
    context: typer.Context,
    names: list[str] = typer.Argument(..., metavar="ADDRESS…", help="IPv4 or IPv6 addresses, or networks."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Ask every blocklist of the dictionary about addresses."""
    _check(context, AssetKind.IP, names, as_json)


@group.command(name="domain")
def domain(
    context: typer.Context,
    names: list[str] = typer.Argument(..., metavar="DOMAIN…", help="Domains."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Ask every blocklist of the dictionary about domains."""
    _check(context, AssetKind.DOMAIN, names, as_json)


def _check(context: typer.Context, kind: AssetKind, names: list[str], as_json: bool) -> None:
    found = reputation_program(context).listings(kind, names)
    if as_json:
        print_json(found)
    else:
        for each in found.findings:
            _show(each)
        if found.doubtful:
            text = f"{len(found.doubtful)} of these do not list their own test point: their silence is not believed"
            console().print(Text(text, "yellow"))
        if found.unusable:
            console().print(Text(f"not asked: {len(found.unusable)} that cannot be trusted or do not answer", "dim"))
            for zone in found.unusable:
                console().print(Text(f"  {zone.host}: {zone.reason}", "dim"))
    if found.listed:
        raise typer.Exit(LISTED)
    if found.unknown:
        raise typer.Exit(UNKNOWN)


def _show(found: Findings) -> None:
    listed, clear, unknown = (found.of(outcome) for outcome in (Outcome.LISTED, Outcome.CLEAR, Outcome.UNKNOWN))
    mark = Text("✗", "red") if listed else Text("✓", "green") if clear else Text("?", "yellow")
    text = f"listed on {len(listed)} of {len(listed) + len(clear)}" if clear or listed else "unknown"
    console().print(Text.assemble(mark, " ", (found.name, "bold"), f"  {text}"))
    if listed:
        console().print(_listings(listed))
    for verdict in unknown:
        console().print(Text(f"  ? {verdict.zone}: {verdict.reason}", "yellow"))
    if found.details.get("wrong_rdns"):
        console().print(Text("  ! no reverse name that leads back to it", "yellow"))


def _listings(listed: list[Verdict]) -> Table:
    table = Table("blocklist", "says", box=None, padding=(0, 2))
    table.add_column("in its own words", overflow="fold")
    for verdict in listed:
        table.add_row(Text(verdict.zone, "red"), verdict.meaning or ", ".join(verdict.codes), verdict.reason)
    return table
