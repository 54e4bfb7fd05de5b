"""`mailvane domain`: create, list, show, set, guillotine, suspend, activate, approve, remove, audit."""

from __future__ import annotations

from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, is_narrow, moment, print_json, print_record, print_table, rate
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import NotFound
from mailvane.outbound.cli.program import OutboundProgram, outbound_program
from mailvane.outbound.model import (
    DEFAULT_WORKSPACE,
    AuditEntry,
    Counting,
    Domain,
    Enforcement,
    Guillotine,
    OutboundStatus,
    Tier,
    Usage,
    Verification,
    WarmupProfile,
)

ACTOR = "command line"
_AUDIT_ENTRIES = 10


class SetVerification(StrEnum):
    """What may be set of a proof; `pending` comes by beginning one."""

    NONE = Verification.NONE.value
    VERIFIED = Verification.VERIFIED.value


group = typer.Typer(help="Sending domains and what they may send.", no_args_is_help=True)


class DomainReport(msgspec.Struct, frozen=True):
    """A domain with its counters of now and what was done to it last."""

    domain: Domain
    usage: Usage
    audit: list[AuditEntry] = []


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="domain")


@group.command()
def create(
    context: typer.Context,
    name: str = typer.Argument(help="The domain, such as example.org."),
    workspace: str | None = typer.Option(
        None, help="Whose it is; not needed where there is one workspace, or one that is called `default`."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Begin to govern what a domain sends."""
    program = outbound_program(context)
    owner = _home(program, workspace)
    created = program.governance().create(name, owner, program.now(), actor=ACTOR)
    if owner is None:
        typer.echo(f"there was no workspace: {created.name} belongs to a new one, `{DEFAULT_WORKSPACE}`", err=True)
    _show(program, created, as_json)


def _home(program: OutboundProgram, named: str | None) -> int | None:
    """Where a new domain belongs; None: there is no workspace at all. Raises NotFound, InvalidInput."""
    known = program.tenancy().workspaces()
    usual = DEFAULT_WORKSPACE if any(each.name == DEFAULT_WORKSPACE for each in known) else None
    return chosen_workspace(program.tenancy(), named or usual).id if known or named else None


@group.command(name="list")
def list_(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="Only this workspace."),
    removed: bool = typer.Option(False, "--removed", help="Also those that were removed and are not billed yet."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List domains with what they sent today and this month."""
    program = outbound_program(context)
    governance, names = program.governance(), {one.id: one.name for one in program.tenancy().workspaces()}
    found = governance.domains(None if workspace is None else program.tenancy().workspace(workspace).id, removed)
    usages = governance.usages_today(found, program.now())
    reports = [DomainReport(domain, usages.get(domain.id, Usage())) for domain in found]
    if as_json:
        print_json(reports)
        return
    narrow = is_narrow()
    headings = ("domain", "workspace", "state", *(() if narrow else ("enforcement",)), "today", "month", "bounces")
    table = Table(*headings, box=None)
    for domain, usage in ((report.domain, report.usage) for report in reports):
        today, month = _of(usage.sent_today, domain.daily_limit), _of(usage.sent_month, domain.monthly_limit)
        state, bounces = _state(domain), rate(usage.figures.bounces, usage.figures.sent)
        enforcement = () if narrow else (domain.enforcement.value,)
        table.add_row(domain.name, names[domain.workspace], state, *enforcement, today, month, bounces)
    print_table(table, "there are no sending domains yet: `mailvane domain create`", "domain")


@group.command()
def show(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show a domain: limits, counters, and what was done to it. A removed one is shown until its month is frozen."""
    program = outbound_program(context)
    governance = program.governance()
    try:
        found = governance.domain(name)
    except NotFound:
        found = governance.governed(name)  # removed, and not billed yet
    _show(program, found, as_json)


@group.command(name="set")
def set_(  # noqa: PLR0913  each option is a field of the domain
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    daily_limit: int | None = typer.Option(None, min=0, help="Most mails of a day; 0 is no limit."),
    monthly_limit: int | None = typer.Option(None, min=0, help="Most mails of a month; 0 is no limit."),
    enforcement: Enforcement | None = typer.Option(
        None, help="Beyond a limit: hard refuses, soft lets pass and marks."
    ),
    hourly_fraction: float | None = typer.Option(None, help="Hourly cap as a share of the daily limit; 0 is none."),
    warmup_profile: WarmupProfile | None = typer.Option(None, help="How fast the daily cap of a new domain grows."),
    spike_max_multiplier: float | None = typer.Option(None, help="Most mails of a day, as a multiple of the usual."),
    counting: Counting | None = typer.Option(None, help="Whether limits count messages or recipients."),
    tier: Tier | None = typer.Option(None, help="Which pool of addresses it sends from."),
    verification: SetVerification | None = typer.Option(
        None, help="The way back from a proof that was begun: none, as if nobody had asked for it, or verified."
    ),
    workspace: str | None = typer.Option(None, help="Move it to this workspace."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Change limits of a domain, or what is held of its proof."""
    program = outbound_program(context)
    given = {
        "daily_limit": daily_limit,
        "monthly_limit": monthly_limit,
        "enforcement": enforcement,
        "hourly_fraction": hourly_fraction,
        "warmup_profile": warmup_profile,
        "spike_max_multiplier": spike_max_multiplier,
        "counting": counting,
        "tier": tier,
        "verification": verification,
        "workspace": None if workspace is None else program.tenancy().workspace(workspace).id,
    }
    _change(program, name, {field: value for field, value in given.items() if value is not None}, as_json)


@group.command()
def guillotine(  # noqa: PLR0913  each option is a field of the rule
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    bounce_percent: float | None = typer.Option(None, help="Suspended above so many percent of bounces; 0 is never."),
    complaint_percent: float | None = typer.Option(None, help="Likewise complaints."),
    minimum_volume: int | None = typer.Option(None, help="Mails of the month before the rule acts."),
    confident: bool | None = typer.Option(None, "--confident/--bare", help="Compare the rate's lower bound (Wilson)."),
    warn_only: bool | None = typer.Option(None, "--warn-only/--suspend", help="Only write it down."),
    probation_daily: int | None = typer.Option(None, help="So many mails a day pass while it is suspended."),
    reset: bool = typer.Option(False, "--reset", help="Back to the rule of the settings, before other options."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Give a domain a rule of its own for when bounces or complaints suspend it."""
    program = outbound_program(context)
    given = {
        "bounce_percent": bounce_percent,
        "complaint_percent": complaint_percent,
        "minimum_volume": minimum_volume,
        "confident": confident,
        "warn_only": warn_only,
        "probation_daily": probation_daily,
    }
    chosen = {field: value for field, value in given.items() if value is not None}
    governance = program.governance()
    if chosen or reset:
        domain = governance.domain(name)
        basis = governance.rules.guillotine if reset else governance.rules.guillotine_of(domain)
        rule = msgspec.structs.asdict(basis) | chosen if chosen else None
        governance.change(name, {"guillotine": rule}, ACTOR, program.now())
    _show(program, governance.domain(name), as_json)


@group.command()
def suspend(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    whole: bool = typer.Option(False, "--whole", help="Whatever its enforcement: soft does not let it pass."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Stop what a domain sends."""
    changes: dict[str, object] = {"status": OutboundStatus.SUSPENDED} | ({"closed": True} if whole else {})
    program = outbound_program(context)
    governance = program.governance()
    _change(program, name, governance.stopping(governance.domain(name), changes), as_json)


@group.command()
@group.command(name="restore", hidden=True)
def activate(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Let a domain send again that was suspended by anyone or anything; its bounces and complaints count anew."""
    _change(outbound_program(context), name, {"status": OutboundStatus.ACTIVE, "closed": False}, as_json)


@group.command()
def approve(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    workspace: str | None = typer.Option(None, help="Whose it is, where several workspaces claim it."),
    withdraw: bool = typer.Option(False, "--withdraw", help="Make it a claim again."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Let a domain that a tenant made hold for mail servers and feedback; other claims of that name give way."""
    program = outbound_program(context)
    owner = None if workspace is None else program.tenancy().workspace(workspace).id
    if withdraw:
        changed = program.governance().change(name, {"approved": False}, ACTOR, program.now(), owner)
    else:
        changed = program.governance().approve(name, ACTOR, program.now(), owner)
    _show(program, changed, as_json)


@group.command()
def remove(
    context: typer.Context,
    name: str = typer.Argument(help="The domain."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Remove a domain. Its limits, counters and bill are kept, and govern its mail, until its month is frozen."""
    program = outbound_program(context)
    found = program.governance().domain(name)
    if not yes:
        typer.confirm(f"remove {found.name}? Until its month is frozen its limits still hold", abort=True)
    program.governance().remove(found.name, ACTOR, program.now())


@group.command()
def audit(
    context: typer.Context,
    name: str = typer.Argument(help="The domain; also one that is there no more."),
    limit: int = typer.Option(100, min=1, help="At most so many entries, the newest."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List what was done to a domain, by whom and why, the newest first."""
    program = outbound_program(context)
    entries = program.governance().audit(name, limit)
    if not entries:
        program.governance().domain(name)  # an unknown name is said to be one
    if as_json:
        print_json(entries)
    else:
        _print_audit(program, entries)


def _change(program: OutboundProgram, name: str, changes: dict[str, object], as_json: bool) -> None:
    _show(program, program.governance().change(name, changes, ACTOR, program.now()), as_json)


def _show(program: OutboundProgram, domain: Domain, as_json: bool) -> None:
    governance = program.governance()
    usage = governance.usages_today([domain], program.now())[domain.id]
    report = DomainReport(domain, usage, governance.audit(domain.name, _AUDIT_ENTRIES))
    if as_json:
        print_json(report)
        return
    fields = _fields(domain, usage, governance.rules.guillotine_of(domain), program.zone)
    fields["workspace"] = program.tenancy().workspace_of(domain.workspace).name
    print_record(domain.name, fields)
    if report.audit:
        _print_audit(program, report.audit)


def _print_audit(program: OutboundProgram, entries: list[AuditEntry]) -> None:
    table = Table("when", "what", "by", "evidence", box=None)
    for entry in entries:
        table.add_row(moment(entry.at, program.zone), entry.action, entry.actor, Text(entry.evidence))
    console().print(table)


def _fields(domain: Domain, usage: Usage, rule: Guillotine, zone: ZoneInfo) -> dict[str, str]:
    figures = usage.figures
    return {
        "state": _state(domain),
        "verification": domain.verification.value,
        "enforcement": domain.enforcement.value,
        "sent today": _of(usage.sent_today, domain.daily_limit),
        "sent this month": _of(usage.sent_month, domain.monthly_limit),
        "hourly cap": f"{domain.hourly_fraction:g} of the daily limit" if domain.hourly_fraction else "off",
        "warm-up": domain.warmup_profile.value,
        "spike": f"above {domain.spike_max_multiplier:g} usual days" if domain.spike_max_multiplier else "off",
        "counting": domain.counting.value,
        "tier": domain.tier.value,
        "bounces": rate(figures.bounces, figures.sent),
        "complaints": rate(figures.complaints, figures.sent),
        "counted anew": moment(usage.baseline.at, zone) if usage.baseline.at else "no",
        "guillotine": _rule(rule) + ("" if domain.guillotine is None else " (its own)"),
    }


def _rule(rule: Guillotine) -> str:
    lines = [
        f"{name} above {limit:g} %"
        for name, limit in (("bounces", rule.bounce_percent), ("complaints", rule.complaint_percent))
        if limit
    ]
    more = [f"from {rule.minimum_volume:,} mails"] if rule.minimum_volume else []
    more += ["by the lower bound"] if rule.confident else []
    more += ["warns only"] if rule.warn_only else []
    more += [f"{rule.probation_daily:,} a day on probation"] if rule.probation_daily else []
    return ", ".join([" or ".join(lines), *more]) if lines else "off"


def _state(domain: Domain) -> str:
    state = "closed" if domain.closed else domain.status.value
    if domain.removed_at is not None:
        return f"removed, {state}"
    return state if domain.approved else f"claimed, {state}"


def _of(sent: int, limit: int) -> str:
    return f"{sent:,} of {limit:,}" if limit else f"{sent:,}"
