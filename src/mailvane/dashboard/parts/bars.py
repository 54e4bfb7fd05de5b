"""Stacked bars over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import msgspec
from markupsafe import Markup

_WIDTH = 980
_LEFT, _TOP, _FOOT = 40, 8, 20  # of the plot
LOW, HIGH = 92, 260  # heights
_GAP = 1
_FEWEST_PIXELS = 1.0  # of a bar that is not zero
_LABELS = 7
_LABEL_PIXELS = 70


class Bar(msgspec.Struct, frozen=True):
    """One stretch of time."""

    since: int
    parts: Mapping[str, int]  # counts by class, from the bottom
    link: str
    title: str


def bars(found: Sequence[Bar], label: Callable[[int], str], title: str, height: int = LOW) -> Markup:
    """`label` writes a time under the axis."""
    top = ceiling(max((sum(bar.parts.values()) for bar in found), default=0))
    width = (_WIDTH - _LEFT) / max(len(found), 1)
    bottom = height - _FOOT
    drawn = [_axis(top, bottom)]
    drawn += [_bar(bar, _LEFT + place * width, width, (top, bottom)) for place, bar in enumerate(found)]
    every = max(1, -(-len(found) // _LABELS))
    for place in range(0, len(found), every):
        x = _LEFT + place * width
        anchor = ' text-anchor="end"' if x > _WIDTH - _LABEL_PIXELS else ""
        x = min(x + width, _WIDTH) if anchor else x
        drawn.append(f'<text x="{x:.1f}" y="{bottom + 15}"{anchor}>{escape(label(found[place].since))}</text>')
    head = f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="group" aria-label="{escape(title)}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped


def ceiling(highest: int) -> int:
    """A round number at or above it."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= 2 * factor * step:
                return max(2 * factor * step, 2)
        step *= 10


def _axis(top: int, bottom: int) -> str:
    lines = []
    for count in (0, top // 2, top):
        y = bottom - (bottom - _TOP) * count / top
        kind = "line" if count else "axis"
        lines.append(
            f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{count:,}</text>'
        )
    return "".join(lines)


def _bar(bar: Bar, x: float, width: float, plot: tuple[int, int]) -> str:
    top, bottom = plot
    y, drawn = float(bottom), []
    for kind, count in bar.parts.items():
        if not count:
            continue
        height = max((bottom - _TOP) * count / top, _FEWEST_PIXELS)
        y -= height
        size = f'width="{max(width - _GAP, 0.8):.1f}" height="{height:.1f}"'
        drawn.append(f'<rect class="fill-{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>')
    if not drawn:
        return ""
    title = escape(bar.title)
    return f'<a href="{escape(bar.link)}"><title>{title}</title>{"".join(drawn)}</a>'
