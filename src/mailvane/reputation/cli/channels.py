"""`mailvane channels`: where alerts tell, what of and when. Addresses are never shown again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, print_json, print_table
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput, Transient
from mailvane.notify.api.channels import ChannelChanges, changed, shown
from mailvane.notify.channels import ChannelDraft, ChannelTerms
from mailvane.notify.model import Attempt, Channel, NamedChannel, Severity
from mailvane.reputation.cli.program import ReputationProgram, reputation_program

_LOOK_SECONDS = 0.2
_WORKSPACE = typer.Option(None, help="Whose; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_NAMED = typer.Argument(metavar="NAME|ID", help="As `channels list` shows it.")
_SEVERITY = typer.Option(None, "--min-severity", help="What is less grave is not sent.")
_QUIET = typer.Option(
    None, "--quiet", metavar="HH:MM-HH:MM", help="Hours in which what is told waits for their end; empty: none."
)
_ZONE = typer.Option(None, "--zone", help="Time zone of the quiet hours; that of the settings when none is given.")

group = typer.Typer(help="Where alerts tell: webhooks, mail, Slack, and by Apprise.", no_args_is_help=True)


class Tested(msgspec.Struct, frozen=True):
    """What became of a test message."""

    notification: str
    outcome: str  # "waiting" when no server has tried yet
    detail: str


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="channels")


@group.command(name="list")
def list_(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """List channels with what they are told and when not."""
    program = reputation_program(context)
    found = program.channels().all(_workspace(program, workspace))
    if as_json:
        print_json([shown(each) for each in found])
        return
    table = Table("name", "kind", "target", "from", "quiet hours", "id", box=None)
    for each in found:
        quiet = f"{each.quiet_from}-{each.quiet_until} {each.quiet_zone}".strip() if each.quiet_from else ""
        table.add_row(each.name, each.kind, each.shown_target, each.min_severity, quiet, each.id)
    print_table(table, "there are no channels yet: `mailvane channels add`", "name", "id")


@group.command()
def add(  # noqa: PLR0913  each option is a field of the channel
    context: typer.Context,
    name: str = typer.Argument(help="What it is called."),
    target: str = typer.Argument(
        metavar="TARGET",
        help="A mail address, an URL of Apprise such as ntfy://topic, or https://; `-`: standard input.",
    ),
    kind: Channel | None = typer.Option(None, help="Of https://, whether a webhook or Slack; else seen by the target."),
    min_severity: Severity | None = _SEVERITY,
    quiet: str | None = _QUIET,
    zone: str | None = _ZONE,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Add a channel and print its id."""
    program = reputation_program(context)
    target = _target(target)
    given = {"min_severity": min_severity, **_quiet(quiet), "quiet_zone": zone}
    terms = ChannelTerms(**{field: value for field, value in given.items() if value is not None})
    draft = ChannelDraft(kind=kind or _kind_of(target), name=name, target=target, terms=terms)
    _show(program.channels().add(_workspace(program, workspace), draft, program.now()), as_json)


@group.command()
def edit(  # noqa: PLR0913  each option is a field of the channel
    context: typer.Context,
    channel: str = _NAMED,
    name: str | None = typer.Option(None, help="What it is to be called."),
    target: str | None = typer.Option(None, help="Another address; `-`: standard input."),
    min_severity: Severity | None = _SEVERITY,
    quiet: str | None = _QUIET,
    zone: str | None = _ZONE,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Change what is named of a channel; the rest stays."""
    program = reputation_program(context)
    owner = _workspace(program, workspace)
    known = program.channels().named(owner, channel)
    changes = ChannelChanges(
        name=name,
        target=None if target is None else _target(target),
        min_severity=min_severity,
        quiet_zone=zone,
        **_quiet(quiet),
    )
    _show(program.channels().put(owner, known, changed(known, changes)), as_json)


@group.command()
def remove(context: typer.Context, channel: str = _NAMED, workspace: str | None = _WORKSPACE) -> None:
    """Remove a channel. Alerts that name it tell it no more."""
    program = reputation_program(context)
    owner = _workspace(program, workspace)
    known = program.channels().named(owner, channel)
    program.channels().remove(owner, known.id)
    console().print(f"removed channel {known.id} ({known.name})")


@group.command(name="test")
def try_(
    context: typer.Context,
    channel: str = _NAMED,
    workspace: str | None = _WORKSPACE,
    wait: float = typer.Option(15.0, min=0, max=300, help="So many seconds for what the receiver says."),
    as_json: bool = _JSON,
) -> None:
    """Send a test message through the running server, whatever the severity and the hour; 1 when it is not taken."""
    program = reputation_program(context)
    owner = _workspace(program, workspace)
    sent = program.alerting().test_channel(owner, program.channels().named(owner, channel), program.now())
    attempt = _first_attempt(program, owner, sent.id, wait)
    told = Tested(sent.id, attempt.outcome if attempt else "waiting", attempt.detail if attempt else "")
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{told.outcome}{f': {told.detail}' if told.detail else ''}")
    if attempt is None:
        raise Transient(f"no server has tried within {wait:g} s: it is sent when one runs")
    if attempt.outcome != "delivered":
        raise typer.Exit(1)


def _first_attempt(program: ReputationProgram, owner: int, notification: str, wait: float) -> Attempt | None:
    until = time.monotonic() + wait
    while True:
        if attempts := program.alerting().attempts(owner, notification):
            return attempts[0]
        if time.monotonic() >= until:
            return None
        time.sleep(_LOOK_SECONDS)


def _workspace(program: ReputationProgram, name: str | None) -> int:
    return chosen_workspace(program.tenancy(), name).id


def _target(text: str) -> str:
    """On standard input it stands in no list of processes and no history of a shell."""
    return typer.get_text_stream("stdin").readline().strip() if text == "-" else text


def _kind_of(target: str) -> Channel:
    scheme, there, _ = target.partition("://")
    if not there:
        return Channel.EMAIL
    if scheme.lower() not in {"http", "https"}:
        return Channel.APPRISE
    return Channel.SLACK if target.lower().startswith("https://hooks.slack.com/") else Channel.WEBHOOK


def _quiet(text: str | None) -> Mapping[str, Any]:
    if text is None:
        return {}
    begin, there, end = text.partition("-")
    if text and not there:
        raise InvalidInput("--quiet: expected two times of the day, such as 22:00-07:00")
    return {"quiet_from": begin.strip(), "quiet_until": end.strip()}


def _show(channel: NamedChannel, as_json: bool) -> None:
    if as_json:
        print_json(shown(channel))
    else:
        typer.echo(channel.id)
