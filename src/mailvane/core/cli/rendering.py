"""How answers look on a terminal: tables, JSON and CSV, and the words for times, rates and states."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BARS = " ▁▂▃▄▅▆▇█"


def console() -> Console:
    """Standard output; as wide as a line needs when it is not a terminal.

    What others wrote, in reports and names, cannot steer the terminal, and is not read as markup.
    """
    found = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 200)
    found.push_render_hook(_WithoutControls())
    return found


class _WithoutControls(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Visible(each) for each in renderables]


class _Visible:
    """The same, without characters that a terminal acts upon."""

    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._shown, options):
            yield segment if segment.control else Segment(_CONTROLS.sub("", segment.text), segment.style)


def print_json(value: Any) -> None:
    """One JSON document, indented, keys as in the value."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180, with a header line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    typer.echo(text.getvalue(), nl=False)


def print_record(title: str, fields: dict[str, Any]) -> None:
    """One thing, a line for each of its fields."""
    table = Table(title=title, show_header=False, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name, value in fields.items():
        table.add_row(Text(name, "bold"), Text("-" if value in ("", None) else str(value)))
    console().print(table)


def moment(ms: int, zone: ZoneInfo) -> str:
    """A time in the server's zone, or a dash for none."""
    if not ms:
        return "-"
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def rate(part: int, whole: int) -> str:
    """A percentage with its denominator, since a rate without one says nothing."""
    return f"{100 * part / whole:.1f} % of {whole:,}" if whole else "- of 0"


def sparkline(values: Sequence[int]) -> str:
    """One bar a value, scaled to the largest; a value that is not zero never looks like zero."""
    top = max(values, default=0)
    if not top:
        return _BARS[0] * len(values)
    last = len(_BARS) - 1
    return "".join(_BARS[0 if value == 0 else max(1, round(value * last / top))] for value in values)
