"""How answers look on a terminal: tables, JSON and CSV, and the words for times, rates and states."""

from __future__ import annotations

import csv
import io
import os
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

from mailvane.core.moments import iso_text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TIMES = re.compile("at|since|until|begins|ends|hour|[a-z_]+_(?:at|until)")  # names of fields that hold a moment
_EARLIEST, _LATEST = 10**11, 253_402_300_800_000  # ms: 1973, and the year 10000; a smaller number is no moment
_NARROW = 120  # characters
_TELLING = 40  # characters of a column that is kept whole, where there is little room
_BARS = " ▁▂▃▄▅▆▇█"


def is_narrow() -> bool:
    """Whether a table has to leave out what tells least."""
    return console().width < _NARROW


def short_moment(ms: int, zone: ZoneInfo) -> str:
    """Month, day, hour and minute in the server's zone, for a table with little room."""
    return moment(ms, zone)[5:16] if ms else "-"


def console() -> Console:
    """Standard output; as wide as a line needs when it is not a terminal, or as COLUMNS says.

    What others wrote, in reports and names, cannot steer the terminal, and is not read as markup.
    """
    found = Console(highlight=False, markup=False, emoji=False, width=_width())
    found.push_render_hook(_WithoutControls())
    return found


def _width() -> int | None:
    """None: as wide as the terminal is, which COLUMNS may say, too."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else 200


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
    """One JSON document, indented, keys as in the value. Times are ISO 8601, UTC; null where there is none."""
    typer.echo(msgspec.json.format(msgspec.json.encode(_with_times(msgspec.to_builtins(value))), indent=2).decode())


def _with_times(value: Any, name: str = "") -> Any:
    """The same with moments as text, wherever they stand in it."""
    if isinstance(value, dict):
        return {key: _with_times(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_times(each, name) for each in value]
    if type(value) is int and _TIMES.fullmatch(name):
        if _EARLIEST <= value < _LATEST:
            return iso_text(value)
        return None if value == 0 and name != "hour" else value
    return value


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


def print_table(table: Table, empty: str, *telling: str) -> None:
    """The rows, or in words that there are none.

    Columns of the headings `telling` are kept whole while others wrap: what a row is about is copied from there. On a
    narrow terminal they end after forty characters.
    """
    if not table.row_count:
        typer.echo(empty)
        return
    most = _TELLING if is_narrow() else None
    for column in table.columns:
        column.overflow = "fold"
        if column.header in telling:
            column.no_wrap, column.overflow, column.max_width = True, "ellipsis", most
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
