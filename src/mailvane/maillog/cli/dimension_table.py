"""`mailvane stats --by`: a row a value, with the share that bounced, what is certain of it, and how it was before."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console
from mailvane.maillog.dimensions import Dimension, DimensionRow
from mailvane.maillog.shares import Share


def print_dimension(rows: Sequence[DimensionRow], dimension: Dimension, window: str) -> None:
    out = console()
    if not rows:
        out.print("nothing was accepted in this time")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(f"{dimension}, {window}", overflow="fold", ratio=1)
    for name in ("sent", "before", "waiting", "bounced, of n (95 %)", "before"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        before = "-" if row.before is None else f"{row.before.deliveries:,}"
        was = "-" if row.bounces_before is None else _percent(row.bounces_before)
        shown = Text(_whole(row.bounces), _style(row))
        name = row.value or "(none)"
        table.add_row(Text(name), f"{row.now.deliveries:,}", before, f"{row.now.waiting:,}", shown, was)
    out.print(table)
    if any(row.changed for row in rows):
        out.print(Text("coloured: it differs from the period before by more than chance", "dim"))


def _style(row: DimensionRow) -> str:
    if not row.changed or row.bounces_before is None:
        return ""
    return "red" if row.bounces.low > row.bounces_before.high else "green"


def _whole(share: Share) -> str:
    if share.share is None:
        return "- of 0"
    return f"{100 * share.share:.1f} % of {share.whole:,} ({100 * share.low:.1f}-{100 * share.high:.1f})"


def _percent(share: Share) -> str:
    return "-" if share.share is None else f"{100 * share.share:.1f} %"
