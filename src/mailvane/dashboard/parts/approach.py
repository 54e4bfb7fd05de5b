"""How a share came to its line: after each mail, with its 95 % interval, up to the mail that crossed it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec
from markupsafe import Markup

from mailvane.dashboard.parts.bars import ceiling

_WIDTH, _HEIGHT = 980, 260
_LEFT, _RIGHT, _TOP, _FOOT = 52, 14, 14, 30
_DOT = 4
_TICKS = 5
_MOST_DOTS = 60  # more of them are a line


class Stage(msgspec.Struct, frozen=True):
    """After so many mails. Shares of 1."""

    sent: int
    share: float
    low: float
    high: float
    title: str = ""  # of what raised it; empty: mail that did not
    link: str = ""  # to that mail; empty: it is not known


def approach(stages: Sequence[Stage], line: float, least: int, title: str) -> Markup:
    """`stages` by `sent`, one at least; `line`: a share of 1; `least`: mails from which on the line holds, or 0."""
    top, most = _top(stages, line), max(stages[-1].sent, 1)
    bottom = _HEIGHT - _FOOT

    def across(sent: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * sent / most

    def up(share: float) -> float:
        return bottom - (bottom - _TOP) * min(share, top) / top

    drawn = [*_scales(top, most), _band([(across(each.sent), up(each.low), up(each.high)) for each in stages])]
    path = "L".join(f"{across(each.sent):.1f} {up(each.share):.1f}" for each in stages)
    drawn.append(f'<path class="course" d="M{path}"/>')
    y = up(line)
    drawn.append(f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    drawn.append(f'<text x="{_LEFT + 6}" y="{y - 5:.1f}">line {100 * line:g} %</text>')
    if 0 < least <= most:
        drawn.append(_from(across(least), least, bottom))
    told = [each for each in stages if each.title]
    for each in told[-_MOST_DOTS:]:
        dot = f'<circle class="fill-bad" cx="{across(each.sent):.1f}" cy="{up(each.share):.1f}" r="{_DOT}"/>'
        dot = f"<title>{escape(each.title)}</title>{dot}"
        drawn.append(f'<a href="{escape(each.link)}">{dot}</a>' if each.link else f"<g>{dot}</g>")
    head = f'<svg class="chart approach" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{escape(title)}">'
    return Markup(f"{head}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it is escaped


def _top(stages: Sequence[Stage], line: float) -> float:
    """The share at the upper end: what is beyond it, of the first few mails mostly, is cut off."""
    settled = [each.share for each in stages if each.sent * 4 >= stages[-1].sent]
    highest = max(2 * line, 1.2 * max(settled), stages[-1].high)
    return min(ceiling(max(round(100 * highest), 1)) / 100, 1.0)


def _scales(top: float, most: int) -> list[str]:
    bottom, lines = _HEIGHT - _FOOT, []
    for part in (0, 0.5, 1):
        y = bottom - (bottom - _TOP) * part
        kind = "line" if part else "axis"
        lines.append(
            f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * top * part:g} %</text>'
        )
    step = max(1, ceiling(most) // 2 // _TICKS)
    while most // step > _TICKS:
        step *= 2
    for place, sent in enumerate(range(step, most + 1, step)):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * sent / most
        anchor = "end" if x > _WIDTH - 60 else "middle"
        second = ' class="second"' if place % 2 == 0 else ""
        words = f"{sent:,} mails" if sent + step > most else f"{sent:,}"
        lines.append(f'<text{second} x="{x:.1f}" y="{bottom + 18}" text-anchor="{anchor}">{words}</text>')
    return lines


def _band(found: Sequence[tuple[float, float, float]]) -> str:
    """Between the low and the high ends, across."""
    upper = "L".join(f"{x:.1f} {high:.1f}" for x, _, high in found)
    lower = "L".join(f"{x:.1f} {low:.1f}" for x, low, _ in reversed(found))
    return f'<path class="spread" d="M{upper}L{lower}z"/>'


def _from(x: float, least: int, bottom: int) -> str:
    anchor, place = ("end", x - 5) if x > _WIDTH / 2 else ("start", x + 5)
    return (
        f'<line class="since" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text x="{place:.1f}" y="{_TOP + 10}" text-anchor="{anchor}">from {least:,} mails on</text>'
    )
