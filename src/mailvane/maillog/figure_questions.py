"""Questions about shares of mail and about waiting mail at moments, and their answers. Values only."""

from __future__ import annotations

from typing import Literal

import msgspec

from mailvane.core.moments import DAY_MS


class FigureQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What could be said of mail at moments `first`, `first + step` … up to `last`, by what had happened until each.

    Bounces are of the deliveries that ended in the window before a moment, deferrals of those that were tried in it,
    complaints of those that were delivered in it; each delivery counts once. Waiting is what was deferred last and had
    no end, of mail accepted within `WAITS_AT_MOST_MS`.
    """

    workspace: int
    relays: tuple[int, ...]
    what: Literal["bounces", "deferrals", "complaints", "waiting"]
    by: Literal["", "sender_domain", "recipient_domain"]  # "": of all mail together
    domains: tuple[str, ...] = ()  # only these; none: any
    first: int
    last: int
    step: int
    window: int = 0  # milliseconds; not for waiting
    least: int = 1  # figures of fewer deliveries are left out: of `whole`, of waiting ones of `count`
    above: float = 0.0  # so are shares whose lower bound (Wilson, 95 %) is not above
    age: int = 0  # waiting: so is what has waited for less, in milliseconds, at its oldest


# ours: mail servers give up after days; what is older and has no end had none in the log
WAITS_AT_MOST_MS = 14 * DAY_MS


class Figure(msgspec.Struct, frozen=True, gc=False):
    """Of one domain, or of all mail, at one moment."""

    at: int
    value: str  # the domain; "": all mail
    count: int  # that bounced, were deferred, complained of, or wait
    whole: int = 0  # of so many; 0: waiting
    oldest: int = 0  # waiting: when the oldest of it was accepted
