"""What the `[mailboxes]` table of the settings file says. Values only."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.setting_tables import Part

_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=100)]


class MailboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mailboxes appear and what is asked about them."""

    most_noticed: Annotated[
        _Count,
        Meta(description="How many senders of a workspace become mailboxes by themselves at most; the busiest do."),
    ] = 10_000
    dkim_selectors: Annotated[
        tuple[_Label, ...],
        Meta(description="Selectors that DKIM keys of a mailbox's domain are looked for under, in this order."),
    ] = ("default", "mailvane", "mail", "dkim", "google", "selector1", "selector2", "s1", "k1")


PART = Part(MailboxSettings)
