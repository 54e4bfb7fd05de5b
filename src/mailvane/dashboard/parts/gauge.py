"""How much of a limit is used."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

_WIDTH, _HEIGHT = 240, 10


def gauge(used: int, most: int, state: str) -> Markup:
    """`state` is the class of its colour. More than all is shown as all."""
    told = f"{used:,} of {most:,}"
    across = min(used / most, 1.0) * _WIDTH if most else 0.0
    drawn = f'<rect class="track" width="{_WIDTH}" height="{_HEIGHT}" rx="3"/>'
    if used:
        drawn += f'<rect class="fill-{state}" width="{max(across, 2.0):.1f}" height="{_HEIGHT}" rx="3"/>'
    head = f'<svg class="gauge" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(told)}">'
    return Markup(f"{head}{drawn}</svg>")  # noqa: S704 - every text in it is escaped
