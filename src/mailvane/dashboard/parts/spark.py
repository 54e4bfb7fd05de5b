"""A row of small bars: how a count went from day to day."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

_STEP, _BAR, _HEIGHT = 4, 3, 20


def spark(counts: Sequence[int], title: str, kind: str = "bad") -> Markup:
    """Oldest first; a day of nothing is a line on the ground. All bars of one colour are one path."""
    top = max([*counts, 1])
    bars: dict[str, list[str]] = {}
    for place, count in enumerate(counts):
        height = f"{max(_HEIGHT * count / top, 3.0) if count else 1.0:.3g}"
        bars.setdefault(kind if count else "plain", []).append(f"M{place * _STEP} {_HEIGHT}v-{height}h{_BAR}v{height}z")
    drawn = "".join(f'<path class="fill-{fill}" d="{"".join(each)}"/>' for fill, each in bars.items())
    width = max(len(counts) * _STEP, 1)
    head = f'<svg class="spark" viewBox="0 0 {width} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
    return Markup(f"{head}<title>{escape(title)}</title>{drawn}</svg>")  # noqa: S704 - texts are escaped
