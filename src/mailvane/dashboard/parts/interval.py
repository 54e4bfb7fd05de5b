"""A rate with its 95 % interval on a scale: the less is known, the wider."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

_WIDTH, _HEIGHT = 96, 14
_DOT = 3  # radius: it is never cut off


def interval(rate: float, low: float, high: float, scale: float, title: str, line: float = 0) -> Markup:
    """All are shares of 1; `scale` is the share at the right end, `line` one that is not to be passed, 0 for none."""
    across = _WIDTH / max(scale, 1e-9)
    left, right = (min(max(each, 0.0) * across, _WIDTH) for each in (low, high))
    drawn = (
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="7" y2="7"/>'
        f'<rect class="fill-soft" x="{left:.1f}" y="4" width="{max(right - left, 1):.1f}" height="6" rx="3"/>'
        f'<circle class="fill-bad" cx="{min(max(rate * across, _DOT), _WIDTH - _DOT):.1f}" cy="7" r="{_DOT}"/>'
    )
    if line:
        x = min(line * across, _WIDTH - 1)
        drawn += f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"/>'
    head = f'<svg class="interval" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
    return Markup(f"{head}<title>{escape(title)}</title>{drawn}</svg>")  # noqa: S704 - every text in it is escaped
