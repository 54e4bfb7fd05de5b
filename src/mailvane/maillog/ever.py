"""What the mail log tells of a sender's mails of all time, beside those of a window. Values only, no SQL."""

from __future__ import annotations

import msgspec


class Ever(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of all mails of a sender, in the window or not: how many, and of the rest whether it ever happened."""

    sent: int = 0
    bounced: int = 0  # or expired
    recent: int = 0  # accepted from `EngagementQuestion.recent` on
    first_at: int = 0  # when the first was accepted
    opened: bool = False  # or clicked, by anybody
    replied: bool = False  # or replied automatically
    unsubscribed: bool = False
    complained: bool = False
    tagged: bool = False
