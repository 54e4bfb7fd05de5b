"""`mailvane mailbox`: one mailbox, day by day, with its health and its warm-up; and what may be changed of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record, sparkline
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.cli.mailboxes import PLOT_DAYS, sent_today
from mailvane.mailboxes.cli.program import MailboxProgram, mailbox_program, window
from mailvane.mailboxes.health import DnsHealth, RecordHealth, RecordStatus
from mailvane.mailboxes.model import Mailbox, MailboxRule, MailboxStatus, PausedFor, Warmup
from mailvane.mailboxes.performance import Performance, Window, counted
from mailvane.mailboxes.rates import percent, rate, wilson
from mailvane.mailboxes.warming import WarmupStep, stepped

if TYPE_CHECKING:
    from mailvane.maillog.queries import EngagementCounts

_UNLIMITED = "none"
_UTC = ZoneInfo("UTC")


def register(app: typer.Typer) -> None:
    app.command()(mailbox)
    app.command(name="mailbox-set")(set_)
    app.command(name="mailbox-rule")(rule)


def mailbox(  # noqa: PLR0913  each option is a part of the question or of how it is shown
    context: typer.Context,
    name: str = typer.Argument(help="Its address or id."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    since: str | None = typer.Option(None, "--from", help="First day (UTC) or time of acceptance."),
    until: str | None = typer.Option(None, "--to", help="Last day (UTC) or time of acceptance."),
    dns: bool = typer.Option(True, help="Ask DNS about its domain."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show one mailbox: its figures, its days, what DNS says of its domain, its warm-up."""
    place, span = mailbox_program(context), window(since, until)
    now, chosen = place.now(), chosen_workspace(place.tenancy(), workspace).id
    with place.mailboxes() as services:
        one = services.mailboxes.mailbox(chosen, name, now)
        found = services.mailboxes.performance_of(one, span, now)
        plotted = _plotted(span, now)
        days = services.mailboxes.figures.daily(services.mailboxes.scope(chosen), plotted, one.address)
        health = services.ask_dns(one.domain) if dns else None
        if health is not None:
            services.mailboxes.keep_health(one, health, now)
    if as_json:
        sent = found.counts.sent
        rates = {kind: rate(count, sent) for kind, count in counted(one, found.known, found.counts).items()}
        figures = {"totals": found.totals, "sent": sent, "rates": rates}
        print_json({"mailbox": one, **figures, "days": days, "dns": health})
        return
    _print_terms(place, one, found)
    _print_rates(one, found)
    _print_days(days, plotted)
    if health is not None:
        _print_health(health)


def set_(  # noqa: PLR0913  each option is a field of the mailbox
    context: typer.Context,
    name: str = typer.Argument(help="Its address or id."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    create: bool = typer.Option(False, "--create", help="Make it: it need not have sent yet."),
    display_name: str | None = typer.Option(None, help="A name for people."),
    status: MailboxStatus | None = typer.Option(None, help="active, inactive, suspended or error."),
    sending: bool | None = typer.Option(None, "--sending/--no-sending", help="Whether it may send."),
    hourly_limit: str | None = typer.Option(None, help=f"Mails an hour at most; `{_UNLIMITED}`: as many as it likes."),
    daily_limit: str | None = typer.Option(None, help=f"Mails a day at most; `{_UNLIMITED}`: as many as it likes."),
    monthly_limit: str | None = typer.Option(None, help=f"Mails a month at most; `{_UNLIMITED}`: as many as it likes."),
    tag: list[str] | None = typer.Option(None, help="Tags in place of those it has; '' alone: no tag."),
    tracking: bool | None = typer.Option(None, "--tracking/--no-tracking", help="Whether its mails are tracked."),
    warm_up: WarmupStep | None = typer.Option(None, help="Begin, pause, resume or stop its warm-up."),
    start: int | None = typer.Option(None, min=0, help="Warm-up: mails on the first day."),
    step: int | None = typer.Option(None, min=0, help="Warm-up: more on each day."),
    target: int | None = typer.Option(None, min=0, help="Warm-up: mails a day at which it ends."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Create or change a mailbox: name, state, limit, tags, warm-up."""
    place = mailbox_program(context)
    now, chosen = place.now(), chosen_workspace(place.tenancy(), workspace).id
    fields: dict[str, Any] = {
        "display_name": display_name, "status": status, "sending_enabled": sending, "tracks_opens": tracking,
        "tags": None if tag is None else tuple(each for each in tag if each),
    }  # fmt: skip
    fields = {field: value for field, value in fields.items() if value is not None}
    limits = {"hourly_limit": hourly_limit, "daily_limit": daily_limit, "monthly_limit": monthly_limit}
    fields |= {field: _limit(said) for field, said in limits.items() if said is not None}
    given = {"start": start, "step": step, "target": target}
    terms = {field: value for field, value in given.items() if value is not None}

    def warmed(before: Warmup) -> Warmup:
        changed = msgspec.structs.replace(before, **terms)
        return changed if warm_up is None else stepped(changed, warm_up, now)

    with place.mailboxes() as services:
        if create:
            services.mailboxes.create(chosen, name, fields, now)
        try:
            changed = services.mailboxes.change(chosen, name, {} if create else fields, now)
        except NotFound as error:
            raise NotFound(f"{error.message} yet: --create makes one before it sends") from None
        if terms or warm_up is not None:
            changed = services.mailboxes.warm(chosen, name, warmed, now)
    if as_json:
        print_json(changed)
    else:
        print_record(changed.address, _terms(place, changed))


def rule(
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    domain: list[str] | None = typer.Option(None, help="Senders of this domain; `*.example.com`: of all below it."),
    every: bool = typer.Option(False, "--every", help="Every sender."),
    none: bool = typer.Option(False, "--none", help="No sender: mailboxes are created."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say which senders of a workspace's mail become mailboxes by themselves; without options, show it."""
    place = mailbox_program(context)
    chosen = chosen_workspace(place.tenancy(), workspace).id
    if bool(domain) + every + none > 1:
        raise InvalidInput("say --domain, --every or --none")
    with place.mailboxes() as services:
        if domain or every or none:
            found = services.mailboxes.set_rule(chosen, domain or (), notice=not none)
        else:
            found = services.mailboxes.rule(chosen)
    if as_json:
        print_json(found)
    else:
        typer.echo(_rule(found))


def _rule(found: MailboxRule) -> str:
    if not found.notice:
        return "no sender becomes a mailbox by itself"
    return f"senders of {', '.join(found.domains)}" if found.domains else "every sender becomes a mailbox"


def _limit(text: str) -> int | None:
    if text == _UNLIMITED:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInput(f"a limit is a number, or {_UNLIMITED}")
    return int(text)


def _plotted(span: Window, now: int) -> Window:
    if span.since is not None:
        return span
    end = span.until if span.until is not None else now
    return Window(end // DAY_MS * DAY_MS - (PLOT_DAYS - 1) * DAY_MS, end)


def _terms(place: MailboxProgram, one: Mailbox) -> dict[str, Any]:
    now, warmup = place.now(), one.warmup
    status = warmup.status(now)
    day = (
        f", day {min(warmup.day(now), warmup.days)} of {warmup.days}, {warmup.volume(now)} a day"
        if warmup.started_at
        else ""
    )
    cause = f" for {warmup.paused_for}" if warmup.paused_at and warmup.paused_for is PausedFor.BOUNCES else ""
    return {
        "name": one.display_name,
        "id": one.id,
        "state": f"{one.status}{'' if one.sending_enabled else ', may not send'}",
        "limits": ", ".join(_windows(one)) or "none",
        "tags": ", ".join(one.tags),
        "warm-up": f"{status.replace('_', ' ')}{cause}{day}",
        "since": moment(one.created_at, place.zone),
    }


def _windows(one: Mailbox) -> list[str]:
    limits = (("an hour", one.hourly_limit), ("a day", one.daily_limit), ("a month", one.monthly_limit))
    return [f"{most:,} {window}" for window, most in limits if most is not None]


def _print_terms(place: MailboxProgram, one: Mailbox, found: Performance) -> None:
    totals = {"sent ever": f"{found.totals.sent:,}", "got ever": f"{found.totals.received:,}"}
    print_record(one.address, _terms(place, one) | totals | {"sent today": str(sent_today(found, place.now()))})


def _print_rates(one: Mailbox, found: Performance) -> None:
    table = Table(title=f"\nof {found.counts.sent:,} mails", box=None, show_header=False, title_justify="left")
    for _ in range(3):
        table.add_column(justify="right")
    table.add_column(style="dim")
    sent = found.counts.sent
    for kind, count in counted(one, found.known, found.counts).items():
        label = kind.replace("_raw", ", machines too").replace("_", " ")
        if count is None:
            table.add_row(Text(label, "bold"), "?", "", "never counted here")
        elif sent:
            ends = wilson(count, sent)
            interval = f"95 %: {100 * ends.low:.1f} to {100 * ends.high:.1f} %"
            table.add_row(Text(label, "bold"), f"{count:,}", f"{percent(count, sent)} %", interval)
    console().print(table)


def _print_days(days: Sequence[EngagementCounts], span: Window) -> None:
    by_day = {row.day: row for row in days}
    first = span.since if span.since is not None else 0
    last = max((row.day for row in days), default=first) if span.until is None else span.until
    starts = range(first // DAY_MS * DAY_MS, last + 1, DAY_MS)[-PLOT_DAYS * 4 :]
    out = console()
    out.print(Text.assemble(("\nmails a day", "bold"), f", {len(starts)} days to {moment(last, _UTC)[:10]}"))
    for kind, style in (("sent", "cyan"), ("opened", "blue"), ("replied", "green"), ("bounced", "red")):
        values = [int(getattr(by_day[start], kind)) if start in by_day else 0 for start in starts]
        line = Text.assemble((f"{kind:<9}", "bold"), (sparkline(values), style), f"  {sum(values):,}")
        out.print(line.append(f", most {max(values, default=0):,}", "dim"))


_SIGNS = {
    RecordStatus.VALID: ("good", "green"),
    RecordStatus.MISSING: ("missing", "red"),
    RecordStatus.INVALID: ("invalid", "red"),
    RecordStatus.UNKNOWN: ("no answer", "yellow"),
}


def _print_health(found: DnsHealth) -> None:
    table = Table(title=f"\nDNS: {found.score} of 100", box=None, show_header=False, title_justify="left")
    exchangers = ", ".join(f"{one.priority} {one.exchange or '.'}" for one in found.mx.records)
    rows = [("MX", found.mx.status, exchangers)]
    for name, record in (("SPF", found.spf), ("DKIM", found.dkim), ("DMARC", found.dmarc)):
        rows.append((name, record.status, _record(record)))
    for name, status, told in rows:
        table.add_row(Text(name, "bold"), Text(*_SIGNS[status]), Text(told[:160]))
    console().print(table)


def _record(one: RecordHealth) -> str:
    return f"{one.selector}: {one.record}" if one.selector else one.record
