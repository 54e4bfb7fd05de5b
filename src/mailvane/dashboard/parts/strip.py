"""A square a day: its state by colour and by shape, so that it can be told apart without colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec
from markupsafe import Markup

_STEP, _SIDE = 14, 11


class Day(msgspec.Struct, frozen=True):
    state: str  # ok, warn, bad or unknown
    title: str


def strip(days: Sequence[Day], title: str) -> Markup:
    """Oldest first."""
    drawn = []
    for place, day in enumerate(days):
        x = place * _STEP
        drawn.append(f"<g><title>{escape(day.title)}</title>{_square(x, day.state)}</g>")
    told = "; ".join(day.title for day in days)
    head = f'<svg class="strip" viewBox="0 0 {len(days) * _STEP} {_STEP}" role="img" aria-label="{escape(title)}: '
    return Markup(f'{head}{escape(told)}">{"".join(drawn)}</svg>')  # noqa: S704 - every text in it is escaped


def _square(x: int, state: str) -> str:
    if state == "unknown":
        return f'<rect class="hollow" x="{x + 0.5}" y="1.5" width="{_SIDE - 1}" height="{_SIDE - 1}" rx="2"/>'
    square = f'<rect class="fill-{state}" x="{x}" y="1" width="{_SIDE}" height="{_SIDE}" rx="2"/>'
    if state == "bad":
        return f'{square}<path class="cut-out" d="M{x + 3} 4l5 5m0-5-5 5"/>'
    return f'{square}<path class="cut-out" d="M{x + 2.5} 6.5h6"/>' if state == "warn" else square
