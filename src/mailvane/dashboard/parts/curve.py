"""How a count falls as a value moves: columns side by side, the value that is meant now marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from mailvane.dashboard.parts.bars import ceiling

_WIDTH, _HEIGHT = 460, 120
_LEFT, _TOP, _FOOT = 34, 16, 20
_LABELS = 5


def curve(points: Sequence[tuple[str, int, bool]]) -> Markup:
    """Of each: the value as text, the count, whether it is the one that is meant now."""
    top, bottom = ceiling(max(count for _, count, _ in points)), _HEIGHT - _FOOT
    width = (_WIDTH - _LEFT) / len(points)
    every = max(1, -(-len(points) // _LABELS))
    drawn = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>',
             f'<text x="{_LEFT - 5}" y="{_TOP + 4}" text-anchor="end">{top:,}</text>',
             f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text>']  # fmt: skip
    for place, (value, count, is_meant) in enumerate(points):
        x, middle = _LEFT + place * width, _LEFT + (place + 0.5) * width
        height = max((bottom - _TOP) * count / top, 1.5)
        kind = "fill-bad" if is_meant else "fill-plain"
        title = f"{count:,} at {value}"
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{bottom - height:.1f}" width="{width - 2:.1f}" '
            f'height="{height:.1f}"><title>{escape(title)}</title></rect>'
        )
        if is_meant:
            drawn.append(f'<text x="{middle:.1f}" y="{bottom - height - 4:.1f}" text-anchor="middle">{count:,}</text>')
        if place % every == 0:
            at, anchor = (_WIDTH, "end") if middle > _WIDTH - 30 else (middle, "middle")
            drawn.append(f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="{anchor}">{escape(value)}</text>')
    told = "; ".join(f"{count:,} at {value}" for value, count, _ in points)
    head = f'<svg class="chart small" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(told)}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped
