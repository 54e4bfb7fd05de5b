"""`mailvane quota`: what other limits would have done."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from mailvane.core.cli.rendering import console, moment, print_json, rate
from mailvane.core.moments import DAY_MS
from mailvane.outbound.admission.counters import day_start, month_start
from mailvane.outbound.admission.replay import Limits, Replay
from mailvane.outbound.cli.program import OutboundProgram, outbound_program
from mailvane.outbound.logged_mail import logged_mail
from mailvane.outbound.model import MinuteOfDecisions

_UTC = ZoneInfo("UTC")

group = typer.Typer(help="What other limits would have done.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="quota")


@group.callback()
def _group() -> None:
    """What other limits would have done."""


@group.command(name="what-if")
def what_if(  # noqa: PLR0913  each option is a limit to try, or says of what
    context: typer.Context,
    domain: str = typer.Option(..., help="The domain."),
    daily: int | None = typer.Option(None, min=0, help="Daily limit to try; 0 is none. The domain's own if not given."),
    monthly: int | None = typer.Option(None, min=0, help="Monthly limit to try, likewise."),
    hourly_fraction: float | None = typer.Option(None, min=0, max=1, help="Hourly share to try, likewise."),
    days: int = typer.Option(30, min=1, max=100, help="So many days, today among them."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Replay what a domain asked to send under other limits: when mail would have been stopped, and how much."""
    program = outbound_program(context)
    now = program.now()
    limits = Limits(daily=daily, monthly=monthly, hourly_fraction=hourly_fraction)
    since = day_start(now) - (days - 1) * DAY_MS
    logged = _logged(program, domain, month_start(since), now)
    found = program.governance().what_if(domain, since, now + 1, limits, logged)
    if as_json:
        print_json(found)
    else:
        _show(program, found, days)


def _logged(program: OutboundProgram, name: str, since: int, until: int) -> list[MinuteOfDecisions]:
    """What the mail log knows to have been sent, hour by hour."""
    domain = program.governance().domain(name)
    relays = [relay.id for relay in program.tenancy().relays(domain.workspace)]
    with program.maillog() as maillog:
        return logged_mail(maillog, domain, relays, since, until)


def _show(program: OutboundProgram, found: Replay, days: int) -> None:
    limits = [f"{found.daily:,} a day" if found.daily else "", f"{found.monthly:,} a month" if found.monthly else ""]
    limits.append(f"{found.hourly_fraction:g} of a day's an hour" if found.hourly_fraction else "")
    typer.echo(f"{found.domain}, the last {days} days, with {', '.join(filter(None, limits)) or 'no limit'}:")
    typer.echo(f"asked for {found.asked:,}, passed then {found.passed_then:,}")
    if found.from_log:
        typer.echo(f"of these {found.from_log:,} by the mail log, hour by hour, from before decisions were recorded")
    typer.echo(f"would have been stopped: {found.stopped:,} ({rate(found.stopped, found.asked)})")
    if not found.days:
        return
    table = Table("day (UTC)", "from", "stopped", "why", box=None)
    zone = program.zone
    for day in found.days:
        start = moment(day.day, _UTC).partition(" ")[0]
        table.add_row(start, moment(day.first, zone), rate(day.stopped, day.asked), day.reason.value)
    console().print(table)
