"""A share a day as a bar, with the lines that alerts hold it against; a day that nobody told of is hatched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import msgspec
from markupsafe import Markup

_WIDTH, _HEIGHT = 460, 120
_LEFT, _TOP, _FOOT = 52, 10, 20
_GAP = 2
_HATCH = 8  # between two strokes
_LABELS = 3
_SCALES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class DayValue(msgspec.Struct, frozen=True):
    label: str  # of the day, such as 26 Nov
    value: float | None  # a share of 1; None: unknown
    title: str
    is_bad: bool = False  # an alert's line is crossed


def day_values(days: Sequence[DayValue], lines: Sequence[float], title: str, written: Callable[[float], str]) -> Markup:
    """Oldest first. `written` writes a share."""
    highest = max([*(day.value or 0.0 for day in days), *lines], default=0.0)
    top = next((each for each in _SCALES if highest <= each), 1.0)
    bottom, step = _HEIGHT - _FOOT, (_WIDTH - _LEFT) / max(len(days), 1)

    def up(share: float) -> float:
        return bottom - (bottom - _TOP) * min(share, top) / top

    drawn = [
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>',
        f'<text x="{_LEFT - 5}" y="{_TOP + 5}" text-anchor="end">{escape(written(top))}</text>',
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text>',
    ]
    hatched: list[str] = []
    for place, day in enumerate(days):
        x, told = _LEFT + place * step, escape(day.title)
        y, kind = (
            (_TOP, "nothing") if day.value is None else (up(day.value), "fill-bad" if day.is_bad else "fill-press")
        )
        high = bottom - y if day.value is None else max(bottom - y, 1.0)
        box = f'x="{x:.1f}" y="{bottom - high:.1f}" width="{step - _GAP:.1f}" height="{high:.1f}"'
        drawn.append(f'<rect class="{kind}" {box}><title>{told}</title></rect>')
        if day.value is None:
            hatched += _strokes(x, step - _GAP, bottom)
        if place % max(1, len(days) // _LABELS) == 0 and x < _WIDTH - 40:
            drawn.append(f'<text x="{x:.1f}" y="{bottom + 15}">{escape(day.label)}</text>')
    if hatched:
        drawn.append(f'<path class="hatched" d="{"".join(hatched)}"/>')
    drawn += [
        f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH}" y1="{up(each):.1f}" y2="{up(each):.1f}"/>' for each in lines
    ]
    told = escape(f"{title}: {'; '.join(day.title for day in days)}")
    head = f'<svg class="chart small days" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{told}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped


def _strokes(x: float, width: float, bottom: int) -> list[str]:
    return [f"M{x:.1f} {y}l{width:.1f} -{width:.1f}" for y in range(bottom, _TOP + int(width), -_HATCH)]
