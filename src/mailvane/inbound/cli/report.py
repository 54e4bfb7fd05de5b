"""`mailvane report`: health, remediate, releases, undo."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, moment, print_json
from mailvane.core.errors import InvalidInput, MailvaneError
from mailvane.inbound.cli.program import HealthDesk, inbound_program
from mailvane.inbound.health.document import document_of
from mailvane.inbound.health.model import HealthReport, Remedied, Status
from mailvane.inbound.health.settings import Team, check_base_url

group = typer.Typer(help="Reports on how mail does, and what is done about it.", no_args_is_help=True)
CANNOT_TELL = Status.UNKNOWN.exit_status


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="report")


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    teams: tuple[str, ...]
    url: str | None
    key: str | None
    key_file: str | None
    is_scheduled: bool
    as_json: bool
    slack: bool
    slack_url: str | None
    mail: bool
    mail_to: tuple[str, ...]


@group.command()
def health(  # noqa: PLR0913  each option is a place to ask or to tell
    context: typer.Context,
    team: list[str] = typer.Option([], help="Only this team; may be repeated."),
    url: str | None = typer.Option(None, help="Ask this Cleanbox-compatible server instead: its base URL."),
    key_file: str | None = typer.Option(None, help="With --url: the file that holds its key; - reads it from stdin."),
    key: str | None = typer.Option(None, help="With --url: its key; other users of this machine can see it here."),
    scheduled: bool = typer.Option(
        False, "--scheduled", help="For cron: make the report that is due and tell all of the settings, unless done."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    slack: bool = typer.Option(False, "--slack", help="Post it to the Slack webhook of the settings."),
    slack_url: str | None = typer.Option(None, help="Post it to this Slack webhook."),
    mail: bool = typer.Option(False, "--mail", help="Mail it to the mailboxes of the settings."),
    mail_to: list[str] = typer.Option([], help="Mail it to this mailbox; may be repeated."),
) -> None:
    """Report on quota, quarantine, failures and senders; exit status 0: healthy, 1: alerts, 2: could not tell."""
    wanted = _Wanted(
        teams=tuple(team),
        url=url,
        key=key,
        key_file=key_file,
        is_scheduled=scheduled,
        as_json=as_json,
        slack=slack,
        slack_url=slack_url,
        mail=mail,
        mail_to=tuple(mail_to),
    )
    try:
        status = asyncio.run(_reported(inbound_program(context).health(), wanted))
    except MailvaneError as error:
        _cannot(error)
    raise typer.Exit(status)


def _cannot(error: MailvaneError) -> NoReturn:
    """A status of 1 would say that there are alerts."""
    _complain(error.message)
    raise typer.Exit(CANNOT_TELL)


def _complain(message: str) -> None:
    typer.echo(f"mailvane: {message}", err=True)


async def _reported(desk: HealthDesk, wanted: _Wanted) -> int:
    """Make it, print it, tell it; the exit status."""
    report = await _made(desk, wanted)
    if wanted.as_json:
        print_json(document_of(report))
    else:
        for line in desk.lines(report):
            console().print(line, soft_wrap=True)
    told = await _told(desk, wanted, report)
    return report.status.exit_status or (0 if told else CANNOT_TELL)


async def _made(desk: HealthDesk, wanted: _Wanted) -> HealthReport:
    if wanted.is_scheduled:
        if wanted.teams or wanted.url is not None:
            raise InvalidInput("--scheduled reports on all teams of the settings: leave --team and --url out")
        return await desk.scheduled()
    if wanted.url is not None:
        return await desk.report_of(_named(wanted, wanted.url))
    return await desk.report(wanted.teams)


def _named(wanted: _Wanted, url: str) -> Team:
    """The server that the command line names."""
    check_base_url(url, "--url")
    if wanted.teams:
        raise InvalidInput("say either --url or --team")
    if (wanted.key is None) == (wanted.key_file is None):
        raise InvalidInput("--url needs --key-file or --key")
    if wanted.key_file is None:
        return Team(name="team", url=url, key=wanted.key or "")
    if wanted.key_file == "-":
        return Team(name="team", url=url, key=sys.stdin.readline().strip())
    return Team(name="team", url=url, key_file=str(Path(wanted.key_file).absolute()))


async def _told(desk: HealthDesk, wanted: _Wanted, report: HealthReport) -> bool:
    """Whether it reached everybody that it was to be told to."""
    ways: list[tuple[str, Coroutine[Any, Any, None]]] = []
    if wanted.slack or wanted.slack_url is not None:
        ways.append(("Slack", desk.to_slack(report, wanted.slack_url)))
    if wanted.mail or wanted.mail_to:
        ways.append(("mail", desk.by_mail(report, wanted.mail_to)))
    told = True
    for name, way in ways:
        try:
            await way
        except MailvaneError as error:
            _complain(f"{name}: {error.message}")
            told = False
    return told


@group.command()
def remediate(
    context: typer.Context,
    team: list[str] = typer.Option([], help="Only this team; may be repeated."),
    apply: bool = typer.Option(False, "--apply", help="Do it; without it, only say what would be done."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Accept quarantined mail of whitelisted contacts, where more is held than the settings allow."""
    found = asyncio.run(inbound_program(context).health().remedy(team, applies=apply))
    if as_json:
        print_json(found)
    else:
        _show_remedied(found, applies=apply)
    if any(one.held is None for one in found):
        raise typer.Exit(CANNOT_TELL)


def _show_remedied(found: Sequence[Remedied], *, applies: bool) -> None:
    for one in found:
        held = "unknown" if one.held is None else f"{one.held:,} in quarantine"
        console().print(f"{one.team}: {held}, {len(one.wanted):,} of whitelisted contacts", soft_wrap=True)
        for message in () if applies else one.wanted:
            console().print(f"  would accept {message.id} from {message.sender}: {message.subject}", soft_wrap=True)
        for release in one.releases:
            console().print(f"  {release.state} {release.message} from {release.sender}: {release.id}", soft_wrap=True)
        if one.told:
            console().print(f"  {one.told}", soft_wrap=True)


@group.command()
def releases(
    context: typer.Context,
    team: str | None = typer.Option(None, help="Only of this team."),
    limit: int = typer.Option(50, min=1, max=10_000, help="How many."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List messages that a rule accepted, the newest first."""
    place = inbound_program(context)
    found = place.health().releases(team, limit)
    if as_json:
        print_json(found)
        return
    table = Table("id", "at", "team", "state", "sender", "message", "detail", box=None)
    for one in found:
        table.add_row(one.id, moment(one.at, place.zone), one.team, one.state, one.sender, one.message, one.detail)
    console().print(table)


@group.command()
def undo(
    context: typer.Context,
    release: str = typer.Argument(help="The release's id, as `mailvane report releases` shows it."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Hold a sender back whose mail a rule accepted, and reject that message where it is still held."""
    found = asyncio.run(inbound_program(context).health().undo(release))
    if as_json:
        print_json(found)
    else:
        console().print(f"{found.sender} is held back; the message was {found.detail}", soft_wrap=True)
