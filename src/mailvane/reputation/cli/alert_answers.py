"""`mailvane alerts acknowledge|resolve|snooze`: what people answer to an alert that fired."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from mailvane.core.cli.rendering import moment, print_json
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.cli.times import GIVEN, coming
from mailvane.core.errors import InvalidInput
from mailvane.reputation.alerts.model import LogEntry
from mailvane.reputation.cli.program import reputation_program

_BY = "command line"
_WORKSPACE = typer.Option(None, help="Whose alert; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_ENTRIES = typer.Argument(metavar="ENTRY_ID...", help="As `alerts log` shows them.")

Answer = Callable[[int, str, str, int], LogEntry]


def register(group: typer.Typer) -> None:
    for command in (acknowledge, resolve, snooze):
        group.command()(command)


def acknowledge(
    context: typer.Context, entries: list[str] = _ENTRIES, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Say that somebody has seen what fired. What still waits to be told of it is not sent any more."""
    _answer(context, reputation_program(context).alerting().acknowledge, entries, workspace, as_json)


def resolve(
    context: typer.Context, entries: list[str] = _ENTRIES, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Say that what fired is over."""
    _answer(context, reputation_program(context).alerting().resolve, entries, workspace, as_json)


def snooze(
    context: typer.Context,
    alert_id: str = typer.Argument(metavar="ALERT_ID", help="As `alerts list` shows it."),
    until: str = typer.Option(..., help=f"Until when nobody is told: {GIVEN}; `now` ends it."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Tell nobody of an alert for a time. What happens is logged."""
    program = reputation_program(context)
    owner, now = chosen_workspace(program.tenancy(), workspace).id, program.now()
    ends = 0 if until == "now" else coming(until, now)
    if ends and ends <= now:
        raise InvalidInput(f"{until!r} is over: name a time to come, or `now`")
    alert = program.alerting().snooze(owner, alert_id, ends)
    if as_json:
        print_json(alert)
    elif ends:
        typer.echo(f"{alert.name}: nobody is told until {moment(ends, program.zone)}")
    else:
        typer.echo(f"{alert.name}: tells again")


def _answer(
    context: typer.Context, answer: Answer, entries: Sequence[str], workspace: str | None, as_json: bool
) -> None:
    program = reputation_program(context)
    owner, alerting = chosen_workspace(program.tenancy(), workspace).id, program.alerting()
    named = list(dict.fromkeys(entries))
    for each in named:  # all are looked up before one is changed
        alerting.entry(owner, each)
    answered = [answer(owner, each, _BY, program.now()) for each in named]
    if as_json:
        print_json(answered)
    else:
        for entry in answered:
            typer.echo(f"{entry.name} of {moment(entry.at, program.zone)}: {entry.state}")
