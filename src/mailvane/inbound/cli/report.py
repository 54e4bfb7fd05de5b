"""`mailvane report`: health."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import typer

from mailvane.core.cli.rendering import console, print_json
from mailvane.core.errors import InvalidInput, MailvaneError
from mailvane.inbound.cli.program import HealthProgram, health_program
from mailvane.inbound.health.document import document_of
from mailvane.inbound.health.model import HealthReport, Status
from mailvane.inbound.health.reporting import remote_team
from mailvane.inbound.health.settings import Team, check_base_url
from mailvane.inbound.health.telling import post_to_slack, send_by_mail, slack_url
from mailvane.inbound.health.texts.slack import messages_of
from mailvane.inbound.health.texts.terminal import lines_of

group = typer.Typer(help="Reports on how mail does.", no_args_is_help=True)
CANNOT_TELL = Status.UNKNOWN.exit_status


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="report")


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    teams: tuple[str, ...]
    url: str | None
    key_file: str | None
    as_json: bool
    slack: bool
    slack_url: str | None
    mail: bool
    mail_to: tuple[str, ...]


@group.callback()
def _reports() -> None:
    """Reports on how mail does."""


@group.command()
def health(  # noqa: PLR0913  each option is a place to ask or to tell
    context: typer.Context,
    team: list[str] = typer.Option([], help="Only this team of the settings; may be repeated."),
    url: str | None = typer.Option(None, help="Ask this Cleanbox-compatible server instead: its base URL."),
    key_file: str | None = typer.Option(None, help="With --url: the file that holds its key; - reads it from stdin."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    slack: bool = typer.Option(False, help="Post it to the Slack webhook of the settings."),
    slack_url: str | None = typer.Option(None, help="Post it to this Slack webhook."),
    mail: bool = typer.Option(False, help="Mail it to the mailboxes of the settings."),
    mail_to: list[str] = typer.Option([], help="Mail it to this mailbox; may be repeated."),
) -> None:
    """Report on quota, quarantine, failures and senders; exit status 0: healthy, 1: alerts, 2: could not tell."""
    wanted = _Wanted(
        teams=tuple(team),
        url=url,
        key_file=key_file,
        as_json=as_json,
        slack=slack,
        slack_url=slack_url,
        mail=mail,
        mail_to=tuple(mail_to),
    )
    try:
        status = asyncio.run(_reported(health_program(context), wanted))
    except MailvaneError as error:
        _cannot(error)
    raise typer.Exit(status)


def _cannot(error: MailvaneError) -> NoReturn:
    """A status of 1 would say that there are alerts."""
    _complain(error.message)
    raise typer.Exit(CANNOT_TELL)


def _complain(message: str) -> None:
    typer.echo(f"mailvane: {message}", err=True)


async def _reported(place: HealthProgram, wanted: _Wanted) -> int:
    """Make it, print it, tell it; the exit status."""
    teams = place.teams(wanted.teams) if wanted.url is None else [remote_team(_named(wanted), _timeout(place))]
    report = await place.health(keeps=wanted.url is None).report(teams)
    if wanted.as_json:
        print_json(document_of(report))
    else:
        for line in lines_of(report):
            console().print(line, soft_wrap=True)
    told = await _told(place, wanted, report)
    return report.status.exit_status or (0 if told else CANNOT_TELL)


def _timeout(place: HealthProgram) -> float:
    return place.health_settings.timeout_seconds


def _named(wanted: _Wanted) -> Team:
    """The server that the command line names."""
    url = wanted.url or ""
    check_base_url(url, "--url")
    if wanted.teams:
        raise InvalidInput("say either --url or --team")
    if wanted.key_file is None:
        raise InvalidInput("--url needs --key-file")
    if wanted.key_file == "-":
        return Team(name="team", url=url, key=sys.stdin.readline().strip())
    return Team(name="team", url=url, key_file=str(Path(wanted.key_file).absolute()))


async def _told(place: HealthProgram, wanted: _Wanted, report: HealthReport) -> bool:
    """Whether it reached everybody that it was to be told to."""
    settings = place.health_settings
    ways: list[tuple[str, Coroutine[Any, Any, None]]] = []
    if wanted.slack or wanted.slack_url is not None:
        ways.append(("Slack", _to_slack(wanted.slack_url, settings.slack_url_file, report)))
    if wanted.mail or wanted.mail_to:
        recipients = [*wanted.mail_to, *(settings.mail_to if wanted.mail else ())]
        ways.append(("mail", send_by_mail(report, place.outgoing_mail, recipients)))
    told = True
    for name, way in ways:
        try:
            await way
        except MailvaneError as error:
            _complain(f"{name}: {error.message}")
            told = False
    return told


async def _to_slack(url: str | None, file: str | None, report: HealthReport) -> None:
    await post_to_slack(url or slack_url(file), messages_of(report))
