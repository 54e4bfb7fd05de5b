"""What mails of all rooms have in common: the frame of the HTML, how text is set, the subject line. Pure.

A room's templates lie in its own package, and extend `letter.html.j2` of this one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from mailvane import __version__
from mailvane.notify.notifier import Image, RenderedEmail

_WIDTH = 76
_LONGEST_SUBJECT = 180


@cache
def templates_of(package: str) -> Environment:
    """Those of the directory `templates` in a package."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("mailvane.notify", "templates")]),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(table=_table, wrapped=_wrapped, amount=amount)
    return environment


def letter(
    templates: Environment, name: str, subject: str, given: Mapping[str, Any], images: Sequence[Image] = ()
) -> RenderedEmail:
    """Of the templates `name.txt.j2` and `name.html.j2`."""
    given = {**given, "version": __version__}
    line = " ".join("".join(each if each.isprintable() else " " for each in subject).split())
    return RenderedEmail(
        line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…",
        templates.get_template(f"{name}.txt.j2").render(given),
        templates.get_template(f"{name}.html.j2").render(given),
        tuple(images),
    )


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _wrapped(text: str, indent: int = 0) -> str:
    # An address or a domain that is cut cannot be copied.
    return textwrap.fill(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Columns as wide as they need to be; in text, nothing else holds them together."""
    lines = [tuple(heads), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip()
        for line in ruled
    )
