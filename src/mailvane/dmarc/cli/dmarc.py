"""`mailvane dmarc`: show, senders, tls, abuse, import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, print_json, print_table, rate
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.moments import DAY_MS
from mailvane.core.names import mail_domain
from mailvane.dmarc.cli.mail_reports import show_abuse, show_senders, show_senders_csv, show_tls
from mailvane.dmarc.cli.program import dmarc_program
from mailvane.dmarc.model import ReportQuestion, ReportSummary, RowQuestion, SenderSummary
from mailvane.reputation.model import ObservationKind

if TYPE_CHECKING:
    from mailvane.dmarc.intake import Taken

_ORGANISATIONS = 3
_LATE_MS = 2 * DAY_MS  # a report may end a little later than our clock says

group = typer.Typer(
    help="Reports of others: who sends in a domain's name and what passes, TLS failures, complaints.",
    no_args_is_help=True,
)
_DOMAIN = typer.Option(None, help="Only this domain.")
_WORKSPACE = typer.Option(None, help="Whose reports; not needed when there is one workspace.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_LIMIT = typer.Option(20, min=1, max=1000, help="So many reports, the newest first.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="dmarc")


@group.command()
def show(  # noqa: PLR0913  each option narrows what is shown
    context: typer.Context,
    domain: str | None = _DOMAIN,
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=400, help="Reports that end within so many days up to now."),
    failing: bool = typer.Option(False, help="Only senders whose mail fails DMARC."),
    top: int = typer.Option(20, min=1, max=1000, help="So many senders, those of the most messages first."),
    as_json: bool = _JSON,
) -> None:
    """Show who sends in the name of each domain, how much, and what of it passes."""
    program = dmarc_program(context)
    now = program.now()
    question = RowQuestion(
        workspace=chosen_workspace(program.tenancy(), workspace).id,
        since=now - days * DAY_MS,
        until=now + _LATE_MS,
        domain=mail_domain(domain) if domain else None,
        failing_only=failing,
    )
    found = program.reports().report_summary(question, top)
    if as_json:
        print_json(found)
    else:
        _show(found, days)


@group.command()
def senders(
    context: typer.Context,
    domain: str | None = _DOMAIN,
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=400, help="Reports that end within so many days up to now."),
    as_json: bool = _JSON,
    as_csv: bool = typer.Option(False, "--csv", help="Print CSV."),
) -> None:
    """Show who sends in the name of each domain by name of the service, with when it was first and last seen."""
    program = dmarc_program(context)
    now = program.now()
    found = program.senders().services(
        RowQuestion(
            workspace=chosen_workspace(program.tenancy(), workspace).id,
            since=now - days * DAY_MS,
            until=now + _LATE_MS,
            domain=mail_domain(domain) if domain else None,
        )
    )
    if as_json:
        print_json(found)
    elif as_csv:
        show_senders_csv(found)
    elif not found:
        typer.echo(f"no reports of the last {days} days: take some in with `mailvane dmarc import FILE…`")
    else:
        show_senders(found, program.zone)


@group.command()
def tls(  # noqa: PLR0913  each option narrows what is shown
    context: typer.Context,
    domain: str | None = _DOMAIN,
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=400, help="Reports that end within so many days up to now."),
    failing: bool = typer.Option(False, help="Only reports of failed sessions."),
    limit: int = _LIMIT,
    as_json: bool = _JSON,
) -> None:
    """Show TLS reports (RFC 8460): how many sessions to each domain succeeded and failed, and why."""
    program = dmarc_program(context)
    question = _question(context, domain, workspace, days)
    found = program.reports().tls_reports(replace(question, failing_only=failing, limit=limit))
    if as_json:
        print_json(found)
    elif not found.total:
        typer.echo(f"no TLS reports of the last {days} days: take some in with `mailvane dmarc import FILE…`")
    else:
        show_tls(found, program.zone)


@group.command()
def abuse(  # noqa: PLR0913  each option narrows what is shown
    context: typer.Context,
    domain: str | None = _DOMAIN,
    workspace: str | None = _WORKSPACE,
    days: int = typer.Option(30, min=1, max=400, help="Reports of mail that arrived within so many days up to now."),
    type_: str | None = typer.Option(None, "--type", help="Only this feedback type: abuse, fraud, auth-failure, …"),
    limit: int = _LIMIT,
    as_json: bool = _JSON,
) -> None:
    """Show abuse reports (ARF, RFC 5965): who complained about which mail, and what failed authentication."""
    program = dmarc_program(context)
    question = replace(_question(context, domain, workspace, days), feedback_type=type_ and type_.lower(), limit=limit)
    found = program.reports().abuse_reports(question)
    if as_json:
        print_json(found)
    elif not found.total:
        typer.echo(f"no abuse reports of the last {days} days: take some in with `mailvane dmarc import FILE…`")
    else:
        show_abuse(found, program.zone)


def _question(context: typer.Context, domain: str | None, workspace: str | None, days: int) -> ReportQuestion:
    program = dmarc_program(context)
    now = program.now()
    return ReportQuestion(
        workspace=chosen_workspace(program.tenancy(), workspace).id,
        since=now - days * DAY_MS,
        until=now + _LATE_MS,
        domain=domain.lower() if domain else None,
    )


@group.command(name="import")
def import_(
    context: typer.Context,
    files: list[str] = typer.Argument(metavar="FILE…", help="XML, JSON, gzip, zip, or mails that carry them."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Take in report files: DMARC aggregates, TLS reports, failures and complaints. What is known is skipped."""
    program = dmarc_program(context)
    owner = chosen_workspace(program.tenancy(), workspace).id
    taken: list[Taken] = []
    for each in program.take_reports(owner, files):
        taken.append(each)
        if not as_json:
            console().print(_line(each))
    if as_json:
        print_json(taken)
    if any(each.kind is None for each in taken):
        raise typer.Exit(1)


def _line(taken: Taken) -> Text:
    if taken.kind is None:
        return Text.assemble(("✗ ", "red"), f"{taken.name}: {taken.reason}")
    mark = ("✓ ", "green") if taken.new else ("= ", "dim")
    known = "" if taken.new else ", known already"
    who = f" of {taken.organisation}" if taken.organisation else ""
    remarks = "".join(f"\n    {remark}" for remark in taken.remarks)
    said = f"{taken.name}: {taken.kind}{who} about {taken.domain}, {_counted(taken)}{known}{remarks}"
    return Text.assemble(mark, said)


def _counted(taken: Taken) -> str:
    what = "session" if taken.kind is ObservationKind.TLS else "message"
    return f"{taken.messages:,} {what}{'' if taken.messages == 1 else 's'}"


def _show(found: ReportSummary, days: int) -> None:
    if not found.domains:
        typer.echo(f"no reports of the last {days} days: take some in with `mailvane dmarc import FILE…`")
        return
    domains = Table(box=None, padding=(0, 2, 0, 0))
    domains.add_column("domain", overflow="fold")
    domains.add_column("policy")
    for name in ("reports", "messages"):
        domains.add_column(name, justify="right", no_wrap=True)
    domains.add_column("by")
    for one in found.domains:
        more = f" and {len(one.organisations) - _ORGANISATIONS} more" if len(one.organisations) > _ORGANISATIONS else ""
        domains.add_row(
            one.domain,
            one.policy or "-",
            f"{one.reports:,}",
            f"{one.messages:,}",
            ", ".join(one.organisations[:_ORGANISATIONS]) + more,
        )
    print_table(domains, "", "domain")
    typer.echo("")
    senders = Table(box=None, padding=(0, 2, 0, 0))
    # An address that is cut cannot be looked up, and a number that is cut is another number.
    senders.add_column("sender", overflow="fold")
    senders.add_column("for", overflow="fold")
    for name in ("messages", "pass", "DKIM", "SPF"):
        senders.add_column(name, justify="right", no_wrap=True)
    senders.add_column("done with it")
    for sender in found.senders:
        senders.add_row(*_row(sender))
    print_table(senders, "", "sender")


def _row(sender: SenderSummary) -> tuple[str | Text, ...]:
    share = sender.passed / sender.messages if sender.messages else 0
    style = "green" if share > 0.98 else "red" if share < 0.5 else "yellow"
    done = ", ".join(f"{name} {count:,}" for name, count in sorted(sender.dispositions.items()))
    return (
        sender.source_ip,
        sender.domain,
        f"{sender.messages:,}",
        Text(_percent(sender.passed, sender.messages), style),
        _percent(sender.dkim_aligned, sender.messages),
        _percent(sender.spf_aligned, sender.messages),
        done,
    )


def _percent(part: int, whole: int) -> str:
    return rate(part, whole).partition(" of ")[0]
