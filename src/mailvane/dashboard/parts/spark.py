"""A row of small bars: how a count went from day to day."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

_STEP, _BAR, _HEIGHT = 4, 3, 20


def spark(counts: Sequence[int], title: str, kind: str = "bad") -> Markup:
    """Oldest first; a day of nothing is a line on the ground."""
    top = max([*counts, 1])
    drawn = []
    for place, count in enumerate(counts):
        height = max(_HEIGHT * count / top, 3.0) if count else 1.0
        drawn.append(
            f'<rect class="fill-{kind if count else "plain"}" x="{place * _STEP}" y="{_HEIGHT - height:.1f}" '
            f'width="{_BAR}" height="{height:.1f}"/>'
        )
    width = max(len(counts) * _STEP, 1)
    head = f'<svg class="spark" viewBox="0 0 {width} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
    return Markup(f"{head}<title>{escape(title)}</title>{''.join(drawn)}</svg>")  # noqa: S704 - texts are escaped
