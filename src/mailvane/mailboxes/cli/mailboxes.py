"""`mailvane mailboxes`: how the mail of every mailbox fares, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, print_csv, print_json, sparkline
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.cli.program import mailbox_program, window
from mailvane.mailboxes.model import passes
from mailvane.mailboxes.performance import KINDS, SORTS, Performance, Window, counted, in_order
from mailvane.mailboxes.rates import percent, rate

PLOT_DAYS = 30
SHOWN = ("delivered", "bounced", "opened", "clicked", "replied", "positive")


_USUAL, _WIDE = 120, 150  # characters of a line
_SHORTEST = 12  # address


class _Asked(NamedTuple):
    """What is plotted, and when that was asked."""

    span: Window
    now: int


def register(app: typer.Typer) -> None:
    app.command()(mailboxes)


def mailboxes(  # noqa: PLR0913  each option is a part of the question or of how it is shown
    context: typer.Context,
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    since: str | None = typer.Option(None, "--from", help="First day (UTC) or time of acceptance."),
    until: str | None = typer.Option(None, "--to", help="Last day (UTC) or time of acceptance."),
    sort: str = typer.Option(
        "-sent", help=f"By {', '.join(SORTS)}, from delivered on by their share; a minus: the greatest first."
    ),
    search: str = typer.Option("", help="A part of the address or the name."),
    tag: str = typer.Option("", help="Only those with this tag."),
    most: int = typer.Option(50, "--limit", min=0, help="Rows at most; 0: all."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    as_csv: bool = typer.Option(False, "--csv", help="Print CSV."),
) -> None:
    """Show how the mail of mailboxes fares: sent, delivered, bounced, opened, clicked, replied."""
    place, span = mailbox_program(context), window(since, until)
    now, found = place.now(), chosen_workspace(place.tenancy(), workspace)
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise InvalidInput(f"--sort: expected one of {', '.join(SORTS)}, perhaps behind a minus")
    with place.mailboxes() as services:
        every = services.mailboxes.performance(found.id, span, now)
        days = services.mailboxes.figures.daily_by_sender(services.mailboxes.scope(found.id), _plotted(span, now))
    passing = [one for one in every if passes(one.mailbox, search, tag)]
    shown = in_order(passing, name, backwards=sort.startswith("-"))[: most or None]
    if as_json:
        print_json([_told(one) for one in shown])
    elif as_csv:
        print_csv(["address", "name", "status", "tags", "sent", *KINDS], [_line(one) for one in shown])
    else:
        by_sender: dict[str, dict[int, int]] = {}
        for row in days:
            by_sender.setdefault(row.sender, {})[row.day] = row.sent
        _print(shown, len(passing), by_sender, _Asked(_plotted(span, now), now))


def _plotted(span: Window, now: int) -> Window:
    """The last thirty days of the window, whole days."""
    end = min(now, span.until if span.until is not None else now)
    first = end // DAY_MS * DAY_MS - (PLOT_DAYS - 1) * DAY_MS
    return Window(max(first, span.since // DAY_MS * DAY_MS if span.since is not None else first), end)


def _told(one: Performance) -> dict[str, Any]:
    found = counted(one.mailbox, one.known, one.counts)
    rates = {kind: rate(number, one.counts.sent) for kind, number in found.items()}
    mailbox = one.mailbox
    return {
        "id": mailbox.id, "address": mailbox.address, "display_name": mailbox.display_name, "status": mailbox.status,
        "tags": mailbox.tags, "daily_limit": mailbox.daily_limit, "totals": one.totals, "sent": one.counts.sent,
        "rates": rates,
    }  # fmt: skip


def _line(one: Performance) -> list[Any]:
    found = counted(one.mailbox, one.known, one.counts)
    numbers = ["" if found[kind] is None else found[kind] for kind in KINDS]
    mailbox = one.mailbox
    return [mailbox.address, mailbox.display_name, mailbox.status, " ".join(mailbox.tags), one.counts.sent, *numbers]


def sent_today(one: Performance, now: int) -> Text:
    """And how many it may send, by its limit and its warm-up; red when that is reached."""
    sent, allowed = one.totals.sent_today, one.mailbox.allowed_today(now)
    if allowed is None:
        return Text(f"{sent:,}")
    return Text(f"{sent:,} of {allowed:,}", "red" if sent >= allowed else "")


class _Layout(NamedTuple):
    """What there is room for."""

    days: int  # that are plotted
    kinds: tuple[str, ...]
    head: str  # of the plot
    today: bool
    gap: int  # between columns


def _layout(width: int, days: int) -> _Layout:
    """By the width of the terminal, in characters."""
    if width >= _WIDE:
        return _Layout(days, SHOWN, "last {} days", True, 2)
    if width >= _USUAL:
        return _Layout(min(14, days), SHOWN, "{} days", True, 2)
    return _Layout(min(7, days), SHOWN[1:], "{} days", False, 1)


def _print(found: Sequence[Performance], total: int, days: Mapping[str, Mapping[int, int]], asked: _Asked) -> None:
    span, now = asked
    starts = range((span.since or 0) // DAY_MS * DAY_MS, (span.until or 0) + 1, DAY_MS)
    out = console()
    layout = _layout(out.width, len(starts))
    starts = starts[len(starts) - layout.days :]
    heads = ["sent", layout.head.format(len(starts)), *layout.kinds, *(["today"] if layout.today else [])]
    rows: list[list[Text]] = []
    for one in found:
        numbers = counted(one.mailbox, one.known, one.counts)
        plot = sparkline([days.get(one.mailbox.address, {}).get(start, 0) for start in starts])
        shares = [_share(numbers[kind], one.counts.sent, kind) for kind in layout.kinds]
        today = [sent_today(one, now)] if layout.today else []
        rows.append([Text(f"{one.counts.sent:,}"), Text(plot, "cyan"), *shares, *today])
    # What is left of the line is the address's: figures that are cut say nothing.
    widths = [max(len(head), *(len(row[place]) for row in rows), 0) for place, head in enumerate(heads)]
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, layout.gap, 0, 0))
    rest = max(_SHORTEST, out.width - sum(widths) - layout.gap * len(heads))
    table.add_column("mailbox", no_wrap=True, overflow="ellipsis", max_width=min(40, rest))
    for head, width in zip(heads, widths, strict=True):
        table.add_column(head, no_wrap=True, justify="left" if "days" in head else "right", min_width=width)
    for one, row in zip(found, rows, strict=True):
        table.add_row(Text(one.mailbox.address), *row)
    out.print(table)
    if len(found) < total:
        out.print(f"{total - len(found):,} more: --limit 0 shows all", style="dim")
    if any(counted(one.mailbox, one.known, one.counts)[kind] is None for one in found for kind in SHOWN):
        out.print("?: nothing of the kind was ever counted here", style="dim")


_STYLES = {"bounced": "red", "replied": "green", "positive": "green"}


def _share(number: int | None, sent: int, kind: str) -> Text:
    if number is None:
        return Text("?", "dim")
    return Text(f"{percent(number, sent)}%" if sent else "-", _STYLES.get(kind, "") if number else "dim")
