"""`mailvane inbound`: domain add, list, set, remove; limit; logged."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record
from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.names import checked_name
from mailvane.inbound.cli.program import Desk, desk
from mailvane.inbound.model import InboundDomain, NextHop
from mailvane.inbound.received import Source
from mailvane.inbound.weeks import week_start

group = typer.Typer(help="The domains whose mail is taken in, and how much of it.", no_args_is_help=True)
domains = typer.Typer(help="Domains whose mail is taken in, each with the mail server behind.", no_args_is_help=True)
group.add_typer(domains, name="domain")
_MOST_PORT = 65_535


class Protocol(StrEnum):
    """What the mail server behind speaks."""

    SMTP = "smtp"
    LMTP = "lmtp"


class Tls(StrEnum):
    """Whether the connection to it is encrypted."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"


class Unlisted(StrEnum):
    """What happens to recipients that are no address of the domain."""

    REFUSED = "refuse"
    PASSED_ON = "pass"


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="inbound")


@domains.command()
def add(  # noqa: PLR0913  each option is a field of the domain
    context: typer.Context,
    name: str = typer.Argument(help="The domain, such as example.org."),
    host: str = typer.Option(..., help="The mail server behind, by name or address."),
    port: int = typer.Option(25, min=1, max=_MOST_PORT, help="Its port."),
    protocol: Protocol = typer.Option(Protocol.SMTP, help="What it speaks."),
    tls: Tls = typer.Option(Tls.OPPORTUNISTIC, help="Whether the connection to it is encrypted."),
    unlisted: Unlisted = typer.Option(
        Unlisted.REFUSED, help="Recipients that are no address: refused, or passed on unfiltered."
    ),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Take in the mail of a domain, and hand it to the mail server behind."""
    at = desk(context, workspace)
    hop = msgspec.convert({"host": host, "port": port, "protocol": protocol.value, "tls": tls.value}, prepared(NextHop))
    made = InboundDomain(
        id=ordered_uuid(at.now), workspace=at.workspace, name=checked_name(name), hop=_checked(hop),
        unlisted=unlisted.value, created_at=at.now,
    )  # fmt: skip
    at.services.stores.domains.add(made)
    _note(at, made, "created")
    _show(at, made, as_json)


@domains.command(name="list")
def list_(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List the domains whose mail is taken in."""
    at = desk(context, workspace)
    found = at.services.stores.domains.domains(at.workspace)
    if as_json:
        print_json(found)
        return
    table = Table("domain", "next hop", "TLS", "unlisted", "state", box=None)
    for one in found:
        state = "active" if one.active else "inactive"
        table.add_row(Text(one.name), Text(one.hop.name), one.hop.tls, one.unlisted, state)
    console().print(table)


@domains.command(name="set")
def set_(  # noqa: PLR0913  each option is a field of the domain
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    host: str | None = typer.Option(None, help="The mail server behind, by name or address."),
    port: int | None = typer.Option(None, min=1, max=_MOST_PORT, help="Its port."),
    protocol: Protocol | None = typer.Option(None, help="What it speaks."),
    tls: Tls | None = typer.Option(None, help="Whether the connection to it is encrypted."),
    unlisted: Unlisted | None = typer.Option(None, help="Recipients that are no address: refused, or passed on."),
    active: bool | None = typer.Option(None, "--active/--inactive", help="Whether its mail is taken in."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change a domain. With another mail server behind, messages that wait already go there as well."""
    at = desk(context, workspace)
    before = _domain(at, name)
    hop = _with(before.hop, {"host": host, "port": port, "protocol": protocol, "tls": tls})
    changed = _with(before, {"unlisted": unlisted, "active": active, "hop": _checked(hop)})
    at.services.stores.domains.save(changed)
    _note(at, changed, "changed")
    _show(at, changed, as_json)


@domains.command()
def remove(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Take in no more mail of a domain that has no addresses any more."""
    at = desk(context, workspace)
    gone = _domain(at, name)
    at.services.stores.domains.remove(at.workspace, gone.id)
    _note(at, gone, "removed")
    if as_json:
        print_json(gone)
    else:
        typer.echo(f"no mail for {gone.name} is taken in any more")


@group.command()
def limit(
    context: typer.Context,
    messages: int | None = typer.Argument(None, min=0, max=2**31 - 1, help="Messages a week; 0: no limit."),
    zone: str | None = typer.Option(
        None, help="Time zone of the Monday midnight at which a week begins; with another the week is counted anew."
    ),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show or set how many messages a workspace takes in a week, all its addresses together."""
    at = desk(context, workspace)
    teams = at.services.stores.teams
    team = _with(teams.team(at.workspace), {"weekly_limit": messages, "zone": None if zone is None else _zone(zone)})
    if messages is not None or zone is not None:
        teams.save_team(team)
        told = f"{team.weekly_limit} a week, {team.zone}"
        entry = msgspec.structs.replace(at.entry, action="limit", subject="team", detail=told)
        at.services.stores.audit.note(at.workspace, entry)
    week = week_start(at.now, ZoneInfo(team.zone))
    used = at.services.received.used(at.workspace, week)
    if as_json:
        print_json({"weekly_limit": team.weekly_limit, "weekly_used": used, "week_started_at": week, "zone": team.zone})
        return
    fields = {
        "this week": f"{used:,}" + (f" of {team.weekly_limit:,}" if team.weekly_limit else ", no limit"),
        "since": moment(week, ZoneInfo(team.zone)),
        "time zone": team.zone,
    }
    print_record("messages taken in", fields)


@group.command()
def logged(
    context: typer.Context,
    names: list[str] = typer.Argument(None, help="Domains, instead of those that were named before."),
    none: bool = typer.Option(False, "--none", help="Name none any more."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show or say whose mail comes in where no gateway is: what the log of the mail server tells is known already.

    Domains whose mail Postfix hands to a mailbox of its own are found in its log. Name those that it relays to another
    server.
    """
    at = desk(context, workspace)
    if names and none:
        raise InvalidInput("say either domains or --none")
    if names or none:
        teams = at.services.stores.teams
        team = msgspec.structs.replace(
            teams.team(at.workspace), logged_domains=tuple(sorted({checked_name(name) for name in names or ()}))
        )
        teams.save_team(team)
        told = ", ".join(team.logged_domains) or "none"
        entry = msgspec.structs.replace(at.entry, action="logged", subject="team", detail=told)
        at.services.stores.audit.note(at.workspace, entry)
    source = at.services.received.source(at.workspace)
    found = at.services.received.logged_domains(at.workspace) if source is Source.LOG else []
    if as_json:
        print_json({"source": source.value, "domains": found, "why_nothing_is_held": source.why_nothing_is_held})
        return
    for name in found:
        typer.echo(name)
    console().print(source.why_nothing_is_held or "mail comes in through the gateway", style="dim")


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {name[:60]!r}") from None


def _with(value: Any, given: dict[str, Any]) -> Any:
    """With what is not None."""
    fields = {name: one.value if isinstance(one, StrEnum) else one for name, one in given.items() if one is not None}
    return msgspec.structs.replace(value, **fields)


def _checked(hop: NextHop) -> NextHop:
    """Raises InvalidInput."""
    if not hop.host or len(hop.host) > 253 or not hop.host.isascii() or not hop.host.replace(" ", "!").isprintable():
        raise InvalidInput(f"{hop.host[:60]!r} is no name and no address of a mail server")
    if any(each in hop.host for each in " /@"):
        raise InvalidInput(f"{hop.host[:60]!r} is no name and no address of a mail server")
    return hop


def _domain(at: Desk, name: str) -> InboundDomain:
    found = at.services.stores.domains.named(checked_name(name))
    if found is None or found.workspace != at.workspace:
        raise NotFound(f"no mail for {name} is taken in")
    return found


def _note(at: Desk, domain: InboundDomain, what: str) -> None:
    entry = msgspec.structs.replace(at.entry, action="domain", subject=domain.name, detail=what)
    at.services.stores.audit.note(at.workspace, entry)


def _show(at: Desk, domain: InboundDomain, as_json: bool) -> None:
    if as_json:
        print_json(domain)
        return
    fields = {
        "next hop": domain.hop.name,
        "TLS to it": domain.hop.tls,
        "unlisted recipients": domain.unlisted,
        "state": "active" if domain.active else "inactive",
        "since": moment(domain.created_at, at.place.zone),
    }
    print_record(domain.name, fields)
