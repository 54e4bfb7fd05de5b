"""`mailvane alerts create|edit|delete`: an alert from a file, from options, or from both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import typer
from rich.text import Text

from mailvane.core.cli.rendering import console, print_json
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.notify.model import Severity
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.cli.alert_files import CHANNELS, draft_of, fields_of, told_by
from mailvane.reputation.cli.program import ReputationProgram, reputation_program

_WORKSPACE = typer.Option(None, help="Whose alert; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_FILE = typer.Argument(None, metavar="[FILE]", help="A JSON file with fields of an alert; `-` is standard input.")
_NAME = typer.Option(None, help="What it is called.")
_RULES = typer.Option(
    None,
    "--rule",
    help='A rule as JSON, such as \'{"type": "MV_SENDING_STOPPED", "domains": ["ALL_DOMAINS"]}\'; may be repeated.',
)
_FORMULA = typer.Option(None, help="How several rules belong together, over their keys, such as 'a and b'.")
_MAIL = typer.Option(None, help="Tell this address by mail; empty: no mail.")
_WEBHOOK = typer.Option(None, help="Tell this address by webhook; empty: none.")
_SLACK = typer.Option(None, help="Tell this Slack integration, by its id; empty: none.")
_CHANNELS = typer.Option(None, "--channel", help="Tell this channel, by its name or id; may be repeated.")
_SEVERITY = typer.Option(None, help="How grave it is; channels may leave out what is less grave.")
_DAILY = typer.Option(None, "--daily/--no-daily", help="Whether it stands in the daily report.")
_ACTIVE = typer.Option(None, "--on/--off", help="Whether it is evaluated.")


def register(group: typer.Typer) -> None:
    group.command()(create)
    group.command()(edit)
    group.command()(delete)


def create(  # noqa: PLR0913  each option is a field of the alert
    context: typer.Context,
    file: str | None = _FILE,
    name: str | None = _NAME,
    rules: list[str] | None = _RULES,
    formula: str | None = _FORMULA,
    mail: str | None = _MAIL,
    webhook: str | None = _WEBHOOK,
    slack: str | None = _SLACK,
    channels: list[str] | None = _CHANNELS,
    severity: Severity | None = _SEVERITY,
    daily: bool | None = _DAILY,
    active: bool | None = _ACTIVE,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Create an alert and print its id. Options count for more than the file."""
    program = reputation_program(context)
    owner = chosen_workspace(program.tenancy(), workspace).id
    said = _said(
        name=name, rules=rules, formula=formula, mail=mail, webhook=webhook, slack=slack, daily=daily, active=active,
        severity=severity, channels=_ids(program, owner, channels),
    )  # fmt: skip
    draft = draft_of({"name": "", "rules": [], **_read(program, owner, file), **said})
    _show(program, program.alerting().create(owner, draft, program.now()), as_json)


def edit(  # noqa: PLR0913  each option is a field of the alert
    context: typer.Context,
    alert_id: str = typer.Argument(metavar="ALERT_ID", help="As `alerts list` shows it."),
    file: str | None = _FILE,
    name: str | None = _NAME,
    rules: list[str] | None = _RULES,
    formula: str | None = _FORMULA,
    mail: str | None = _MAIL,
    webhook: str | None = _WEBHOOK,
    slack: str | None = _SLACK,
    channels: list[str] | None = _CHANNELS,
    severity: Severity | None = _SEVERITY,
    daily: bool | None = _DAILY,
    active: bool | None = _ACTIVE,
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Change what is named of an alert; the rest stays. Rules that are named replace all that it has."""
    program = reputation_program(context)
    alerting, owner = program.alerting(), chosen_workspace(program.tenancy(), workspace).id
    known = alerting.alert(owner, alert_id)
    said = _read(program, owner, file) | _said(
        name=name, rules=rules, formula=formula, mail=mail, webhook=webhook, slack=slack, daily=daily, active=active,
        severity=severity, channels=_ids(program, owner, channels),
    )  # fmt: skip
    if not said:
        raise InvalidInput("name what is to be changed: a file, or an option")
    kept = {field: getattr(known, field) for field in AlertDraft.__struct_fields__}
    _show(program, alerting.update(owner, alert_id, draft_of({**kept, **said}), program.now()), as_json)


def delete(
    context: typer.Context,
    alert_ids: list[str] = typer.Argument(metavar="ALERT_ID...", help="As `alerts list` shows them."),
    workspace: str | None = _WORKSPACE,
) -> None:
    """Delete alerts. What they said stays in the log."""
    program = reputation_program(context)
    alerting, owner = program.alerting(), chosen_workspace(program.tenancy(), workspace).id
    for found in [alerting.alert(owner, each) for each in dict.fromkeys(alert_ids)]:  # all are there, or none goes
        alerting.remove(owner, found.id)
        console().print(f"deleted alert {found.id} ({found.name})")


def _ids(program: ReputationProgram, owner: int, names: list[str] | None) -> list[str]:
    """Raises NotFound, InvalidInput."""
    return [program.channels().named(owner, name).id for name in names or ()]


def _said(**options: Any) -> dict[str, Any]:
    """Fields of an alert by what was given on the command line; what was not is left out."""
    given = {name: value for name, value in options.items() if value is not None and value != []}
    fields: dict[str, Any] = {}
    for option, field in (
        ("name", "name"),
        ("formula", "formula"),
        ("daily", "is_in_daily_report"),
        ("active", "is_active"),
        ("severity", "severity"),
        ("channels", "channel_ids"),
    ):
        if option in given:
            fields[field] = given[option]
    for option, field in (
        ("webhook", "webhook_url"),
        ("slack", "slack_integration_id"),
        ("mail", "instant_alert_email"),
    ):
        if option in given:
            fields[field] = given[option] or None
    if "mail" in given:
        fields["is_instant_alert"] = bool(given["mail"])
    if "rules" in given:
        fields["rules"] = [_rule(text) for text in given["rules"]]
    return fields


def _rule(text: str) -> Mapping[str, Any]:
    if not text.lstrip().startswith("{"):
        return {"type": text.strip()}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidInput(f"--rule: {error}") from None


def _read(program: ReputationProgram, owner: int, file: str | None) -> dict[str, Any]:
    """Raises InvalidInput, NotFound."""
    fields = {} if file is None else fields_of(file)
    if (names := fields.pop(CHANNELS, None)) is not None:
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise InvalidInput(f"{file}: {CHANNELS}: expected a list of names")
        fields["channel_ids"] = _ids(program, owner, names)
    return fields


def _show(program: ReputationProgram, alert: Alert, as_json: bool) -> None:
    if as_json:
        print_json(alert)
        return
    typer.echo(alert.id)
    if not told_by(alert):
        console().print(Text("it tells nobody: what fires stands in the log and on the dashboard", "dim"))
    for each in program.alert_warnings().of(alert.workspace, [alert]).get(alert.id, ()):
        console().print(Text(f"warning: {each.field}: {each.message}", "yellow"))
