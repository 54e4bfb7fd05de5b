"""The life of a mail on a line of time: when it was accepted, each try, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS

_WIDTH, _HEIGHT, _LINE = 980, 66, 32
_LEFT, _RIGHT = 24, 24
_MARK = 16
_MOST_TICKS = 5
_LABEL_PIXELS = 84  # between the middles of two labels, at least
_EDGE_PIXELS = 70  # from an end of the line: a label there begins or ends at its mark
_STEPS = (
    *(1_000, 5_000, 15_000, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS),
    *(HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 28 * DAY_MS, 364 * DAY_MS),
)


class Point(msgspec.Struct, frozen=True):
    """Something that happened."""

    at: int
    mark: str  # a symbol: ok, warn, bad, …
    label: str
    title: str


def axis(points: Sequence[Point], written: Callable[[int], str], title: str) -> Markup:
    """`points` by time, the first of them where the line begins; `written` tells a stretch of time under it."""
    begin, end = points[0].at, points[-1].at
    scale = (_WIDTH - _LEFT - _RIGHT) / max(end - begin, 1)

    def across(at: int) -> float:
        return _LEFT + (at - begin) * scale

    drawn = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_LINE}" y2="{_LINE}"/>']
    step = next((each for each in _STEPS if (end - begin) / each <= _MOST_TICKS), _STEPS[-1])
    for at in range(begin + step, end + 1, step):
        x = across(at)
        drawn.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_LINE - 5}" y2="{_LINE + 5}"/>')
        drawn.append(_text(x, _HEIGHT - 8, f"+{written(at - begin)}"))
    last = across(end)
    labelled = float("-inf")
    for point in points:
        x = across(point.at)
        told = escape(point.title)
        drawn.append(
            f'<g class="is-{point.mark}"><title>{told}</title><use href="#{point.mark}" x="{x - _MARK / 2:.1f}" '
            f'y="{_LINE - _MARK / 2:.0f}" width="{_MARK}" height="{_MARK}"/></g>'
        )
        is_last = point is points[-1]
        if is_last or (x - labelled >= _LABEL_PIXELS and last - x >= 2 * _LABEL_PIXELS):
            drawn.append(_text(x, 14, point.label))
            labelled = x
    told = escape("; ".join(point.title for point in points))
    head = f'<svg class="chart life" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}: {told}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped


def _text(x: float, y: int, told: str) -> str:
    anchor = "start" if x < _EDGE_PIXELS else "end" if x > _WIDTH - _EDGE_PIXELS else "middle"
    x = {"start": max(x - _MARK / 2, 0.0), "end": x + _MARK / 2}.get(anchor, x)
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(told)}</text>'
