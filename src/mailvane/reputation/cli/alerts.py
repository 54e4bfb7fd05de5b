"""`mailvane alerts`: list, show, log, test, backtest; `alert_changes` and `alert_answers` add the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, FiredRule, LogEntry
from mailvane.reputation.cli import alert_answers, alert_changes
from mailvane.reputation.cli.alert_files import draft_of, fields_of, told_by
from mailvane.reputation.cli.program import ReputationProgram, reputation_program
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.texts.evidence import headline

if TYPE_CHECKING:
    from mailvane.reputation.alerts.warnings import Warned

_ITEMS = 5  # of a log entry, on a terminal
_LAST_ENTRIES = 5
_ID = 24
_WORKSPACE = typer.Option(None, help="Whose alerts; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_STATE_STYLE = {EntryState.OPEN: "red", EntryState.ACKNOWLEDGED: "yellow", EntryState.RESOLVED: "green"}

group = typer.Typer(help="Reputation alerts: what is watched for, what fired, what would fire.", no_args_is_help=True)


class AlertReport(msgspec.Struct, frozen=True):
    """An alert with what is remembered of it and when it fired last."""

    alert: Alert
    state: AlertState | None = msgspec.field(name="memory")  # as programs know it
    entries: Sequence[LogEntry]
    warnings: Sequence[Warned] = ()  # what keeps it silent


def register(app: typer.Typer) -> None:
    alert_changes.register(group)
    alert_answers.register(group)
    app.add_typer(group, name="alerts")


@group.command(name="list")
def list_(context: typer.Context, workspace: str | None = _WORKSPACE, as_json: bool = _JSON) -> None:
    """List alerts with what they watch for and whom they tell."""
    program, alerting = reputation_program(context), reputation_program(context).alerting()
    found = alerting.alerts(_workspace(program, workspace))
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("there are no alerts yet: `mailvane alerts create`")
        return
    table = Table(box=None)
    table.add_column("id", no_wrap=True, min_width=_ID)  # to be pasted
    for heading in ("name", "watches for", "tells", "state"):
        table.add_column(heading, overflow="fold")
    for alert in found:
        types = [str(rule.get("type", "?")) for rule in alert.rules]
        table.add_row(
            alert.id,
            alert.name,
            alert.formula + " of " + ", ".join(types) if alert.formula and len(types) > 1 else ", ".join(types),
            told_by(alert) or "nobody",
            _state(program, alert),
        )
    console().print(table)


@group.command()
def show(
    context: typer.Context,
    alert_id: str = typer.Argument(metavar="ALERT_ID", help="As `alerts list` shows it."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Show an alert whole: its rules, whether they can be evaluated, and when it fired last."""
    program, alerting = reputation_program(context), reputation_program(context).alerting()
    owner = _workspace(program, workspace)
    alert = alerting.alert(owner, alert_id)
    page = alerting.entries(EntryQuestion(workspace=owner, alert_id=alert_id, limit=_LAST_ENTRIES))
    warned = program.alert_warnings().of(owner, [alert]).get(alert.id, ())
    report = AlertReport(alert, alerting.state(alert_id), page.entries, warned)
    if as_json:
        print_json(report)
        return
    _show_alert(program, report)


@group.command()
def log(
    context: typer.Context,
    alert_id: str | None = typer.Argument(None, metavar="[ALERT_ID]", help="Only this one; all when not given."),
    workspace: str | None = _WORKSPACE,
    limit: int = typer.Option(20, min=1, max=1000, help="So many entries, the newest first."),
    as_json: bool = _JSON,
) -> None:
    """What fired, when, and by which evidence."""
    program = reputation_program(context)
    question = EntryQuestion(workspace=_workspace(program, workspace), alert_id=alert_id, limit=limit)
    page = program.alerting().entries(question)
    if as_json:
        print_json(page)
        return
    for entry in page.entries:
        _show_entry(program, entry)
    typer.echo(f"{len(page.entries)} of {page.total:,}" if page.total else "nothing has fired")


@group.command(name="test")
def trial(
    context: typer.Context,
    alert: str = typer.Argument(
        metavar="ALERT_ID|FILE", help="An alert, or a JSON file of one; `-` is standard input."
    ),
    workspace: str | None = _WORKSPACE,
    notify: bool = typer.Option(False, help="Tell the alert's channels, marked as a test; a running server does it."),
    as_json: bool = _JSON,
) -> None:
    """What an alert would say now, if it had said nothing before. Nothing is kept."""
    program, alerting = reputation_program(context), reputation_program(context).alerting()
    owner = _workspace(program, workspace)
    if alert == "-" or "/" in alert or "." in alert or Path(alert).is_file():
        if notify:
            raise InvalidInput("only an alert that is kept has somebody to tell")
        found = alerting.trial(owner, draft_of(fields_of(alert)), program.now())
    else:
        found = alerting.rehearse(owner, alert, notify, program.now())
    if as_json:
        print_json(found)
    else:
        typer.echo("it would fire now:" if found.fired else "it would say nothing now")
        _show_fired(found.fired)
        _show_failing(found.failing)


@group.command()
def backtest(
    context: typer.Context,
    file: str = typer.Argument(metavar="FILE", help="A JSON file of an alert; `-` is standard input."),
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=400, help="So many days up to now."),
    as_json: bool = _JSON,
) -> None:
    """When an alert would have fired by what is stored, with what, and how often a week. Nothing is kept."""
    program = reputation_program(context)
    now = program.now()
    found = program.alerting().backtest(
        _workspace(program, workspace), draft_of(fields_of(file)), now - days * DAY_MS, now
    )
    if as_json:
        print_json({**msgspec.to_builtins(found), "per_week": found.per_week})
    else:
        number = len(found.firings)
        often = f", {found.per_week:.1f} a week" if days > 7 else ""
        times = f"{number} times{often}" if number > 1 else "once" if number else "not at all"
        typer.echo(f"in the last {f'{days} days' if days > 1 else 'day'} it would have fired {times}")
        for firing in found.firings:
            console().print(Text(f"\n{moment(firing.at, program.zone)}", "bold"))
            _show_fired(firing.rules)
        _show_failing(found.failing)


def _workspace(program: ReputationProgram, name: str | None) -> int:
    return chosen_workspace(program.tenancy(), name).id


def _names_of(program: ReputationProgram, alert: Alert) -> str:
    known = {each.id: each.name for each in program.channels().all(alert.workspace)} if alert.channel_ids else {}
    return ", ".join(known.get(each, f"{each} (gone)") for each in alert.channel_ids)


def _state(program: ReputationProgram, alert: Alert) -> Text:
    if not alert.is_active:
        return Text("switched off", "dim")
    if alert.snoozed_until > program.now():
        return Text(f"snoozed until {moment(alert.snoozed_until, program.zone)}", "yellow")
    return Text("active", "green")


def _show_alert(program: ReputationProgram, report: AlertReport) -> None:
    alert, zone = report.alert, program.zone
    print_record(
        alert.name,
        {
            "id": alert.id,
            "state": _state(program, alert).plain,
            "severity": alert.severity,
            "tells": told_by(alert) or "nobody",
            "channels": _names_of(program, alert) or None,
            "formula": alert.formula if len(alert.rules) > 1 else None,
            "created": moment(alert.created_at, zone),
            "changed": moment(alert.updated_at, zone),
        },
    )
    failing = report.state.failures if report.state else {}
    if reason := failing.get(""):
        console().print(Text(f"it cannot be evaluated: {reason}", "red"))
    for each in report.warnings:
        console().print(Text(f"warning: {each.field}: {each.message}", "yellow"))
    for place_of, rule in enumerate(alert.rules):
        console().print(Text.assemble((f"\n{rule.get('type')}", "bold"), f"  {_configuration(rule)}"))
        if reason := failing.get(str(rule.get("key") or place_of)):
            console().print(Text(f"  cannot be evaluated: {reason}", "red"))
    for entry in report.entries:
        _show_entry(program, entry)
    if not report.entries:
        typer.echo("\nit has not fired")


def _configuration(rule: Mapping[str, Any]) -> str:
    return msgspec.json.encode({name: value for name, value in rule.items() if name != "type"}).decode()


def _show_entry(program: ReputationProgram, entry: LogEntry) -> None:
    console().print(
        Text.assemble(
            "\n",
            (moment(entry.at, program.zone), "bold"),
            f"  {entry.name}  ",
            (entry.state.value, _STATE_STYLE[entry.state]),
            (f" by {entry.state_by}" if entry.state_by else ""),
            (f"  {entry.id}", "dim"),
        )
    )
    _show_fired(entry.rules)


def _show_fired(rules: Sequence[FiredRule]) -> None:
    for rule in rules:
        items = rule.matchings.get("items", ())
        for item in items[:_ITEMS]:
            console().print(Text.assemble("  ", (rule.type, "red"), f"  {headline(rule.type, item)}"))
        more = int(rule.matchings.get("count") or len(items)) - _ITEMS
        if more > 0:
            console().print(Text(f"  and {more:,} more", "dim"))


def _show_failing(failing: Mapping[str, str]) -> None:
    for key, reason in failing.items():
        console().print(Text(f"{f'rule {key}' if key else 'it'} cannot be evaluated: {reason}", "red"))
