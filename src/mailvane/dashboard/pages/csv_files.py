"""Rows as a CSV file that spreadsheets may open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from mailvane.dashboard.visits import File

CSV_ROWS = 100_000  # of a file
CSV_PART = 10_000  # are asked for at once


def csv_file(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> File:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([_plain(value) for value in row])
    return File(out.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8", name)


def _plain(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as a text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
