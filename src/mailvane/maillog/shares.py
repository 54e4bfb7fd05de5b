"""A share of a whole with what is certain of it: Wilson's score interval. Pure."""

from __future__ import annotations

from math import sqrt

import msgspec

_Z = 1.959963984540054  # of 95 %, two-sided


class Share(msgspec.Struct, frozen=True):
    """So many of so many, with the bounds between which the true share lies in 19 of 20 cases. From 0 to 1."""

    count: int
    whole: int
    share: float | None  # None: of nothing
    low: float
    high: float

    def differs_from(self, other: Share) -> bool:
        """Whether the two cannot well be the same: what is certain of the one lies apart from the other's."""
        return bool(self.whole and other.whole) and (self.low > other.high or self.high < other.low)


def share_of(count: int, whole: int) -> Share:
    """Of nothing, anything may be: from 0 to 1. (E. B. Wilson, JASA 22, 1927.)"""
    if not whole:
        return Share(count, 0, None, 0.0, 1.0)
    share, square = min(1.0, count / whole), _Z * _Z
    middle = share + square / (2 * whole)
    spread = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    scale = 1 + square / whole
    return Share(count, whole, share, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))
