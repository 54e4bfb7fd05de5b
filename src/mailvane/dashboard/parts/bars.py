"""Stacked bars over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import msgspec
from markupsafe import Markup

_WIDTH = 980
_LEFT, _TOP, _FOOT = 40, 8, 20  # of the plot
LOW, HIGH = 92, 260  # heights
_GAP = 1
_FEWEST_PIXELS = 1.0  # of a bar that is not zero
_LABELS = 7
_LABEL_PIXELS = 70
_PINNED = 20  # above the plot, where something is pinned to it
_PIN, _PIN_GAP = 15, 18  # its size, and between the middles of two


class Bar(msgspec.Struct, frozen=True):
    """One stretch of time."""

    since: int
    parts: Mapping[str, int]  # counts by class, from the bottom
    link: str
    title: str


class Pin(msgspec.Struct, frozen=True):
    """Something that happened at a moment of the chart."""

    at: int
    link: str
    title: str


class _Plot(NamedTuple):
    top: int  # the count at its upper end
    roof: int
    bottom: int

    def high(self, count: int) -> float:
        return (self.bottom - self.roof) * count / self.top


def bars(
    found: Sequence[Bar],
    label: Callable[[int], str],
    title: str,
    height: int = LOW,
    pins: Sequence[Pin] = (),
    brush: str = "",
) -> Markup:
    """`label` writes a time under the axis. `brush`: a link that a stretch of time is put to when it is drawn."""
    top = ceiling(max((sum(bar.parts.values()) for bar in found), default=0))
    width = (_WIDTH - _LEFT) / max(len(found), 1)
    bottom = height - _FOOT
    plot = _Plot(top, _PINNED if pins else _TOP, bottom)
    drawn = [_axis(plot)]
    drawn += _colours(found, width, plot)
    drawn += [
        _bar(bar, _LEFT + place * width, width, plot) for place, bar in enumerate(found) if any(bar.parts.values())
    ]
    every = max(1, -(-len(found) // _LABELS))
    for place in range(0, len(found), every):
        x = _LEFT + place * width
        anchor = ' text-anchor="end"' if x > _WIDTH - _LABEL_PIXELS else ""
        x = min(x + width, _WIDTH) if anchor else x
        second = ' class="second"' if place // every % 2 else ""  # left out where there is little room
        told = escape(label(found[place].since))
        drawn.append(f'<text{second} x="{x:.1f}" y="{bottom + 15}"{anchor}>{told}</text>')
    step = found[1].since - found[0].since if len(found) > 1 else 0
    if step and pins:
        drawn.append(_pins(pins, lambda at: _LEFT + (at - found[0].since) / step * width, bottom))
    brushed = f' data-brush="{escape(brush)}" data-from="{found[0].since}" data-step="{step}"' if brush and step else ""
    size = f'viewBox="0 0 {_WIDTH} {height}" data-left="{_LEFT}" data-count="{len(found)}"'
    head = f'<svg class="chart" {size}{brushed} role="group" aria-label="{escape(title)}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped


def ceiling(highest: int) -> int:
    """A round number at or above it."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= 2 * factor * step:
                return max(2 * factor * step, 2)
        step *= 10


def _pins(pins: Sequence[Pin], across: Callable[[int], float], bottom: int) -> str:
    """Those that would cover each other are one."""
    groups: list[tuple[float, list[Pin]]] = []
    for pin in sorted(pins, key=lambda pin: pin.at):
        x = min(max(across(pin.at), _LEFT), _WIDTH - _PIN / 2)
        if groups and x - groups[-1][0] < _PIN_GAP:
            groups[-1][1].append(pin)
        else:
            groups.append((x, [pin]))
    return "".join(
        f'<a class="pin" href="{escape(group[-1].link)}"><title>{escape("; ".join(pin.title for pin in group))}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_PIN}" y2="{bottom}"/>'
        f'<use class="is-bad" href="#bad" x="{x - _PIN / 2:.1f}" y="1" width="{_PIN}" height="{_PIN}"/></a>'
        for x, group in groups
    )


def _axis(plot: _Plot) -> str:
    lines = []
    for count in (0, plot.top // 2, plot.top):
        y = plot.bottom - plot.high(count)
        kind = "line" if count else "axis"
        lines.append(
            f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{count:,}</text>'
        )
    return "".join(lines)


def _colours(found: Sequence[Bar], width: float, plot: _Plot) -> list[str]:
    """What bars are made of: all of one colour is one path, so that a browser has little to read."""
    paths: dict[str, list[str]] = {}
    for place, bar in enumerate(found):
        y = float(plot.bottom)
        for kind, count in bar.parts.items():
            if count:
                high = _high(count, plot)
                box = f"v-{high:.1f}h{_wide(width):.1f}v{high:.1f}z"
                paths.setdefault(kind, []).append(f"M{_LEFT + place * width:.1f} {y:.1f}{box}")
                y -= high
    return [f'<path class="fill-{kind}" d="{"".join(boxes)}"/>' for kind, boxes in paths.items()]


def _bar(bar: Bar, x: float, width: float, plot: _Plot) -> str:
    """The link of a bar, over all that it is made of."""
    high = sum(_high(count, plot) for count in bar.parts.values() if count)
    size = f'x="{x:.1f}" y="{plot.bottom - high:.1f}" width="{_wide(width):.1f}" height="{high:.1f}"'
    return f'<a href="{escape(bar.link)}"><title>{escape(bar.title)}</title><rect {size}/></a>'


def _high(count: int, plot: _Plot) -> float:
    return max(plot.high(count), _FEWEST_PIXELS)


def _wide(width: float) -> float:
    return max(width - _GAP, 0.8)
