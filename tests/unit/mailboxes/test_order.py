"""Mailboxes in the order of what is shown of them."""

from __future__ import annotations

import pytest

from mailvane.mailboxes.model import Mailbox
from mailvane.mailboxes.performance import Known, Performance, Totals, in_order
from mailvane.maillog.queries import EngagementCounts

KNOWN = Known(frozenset({"delivered", "bounced", "replied"}))


def mailbox(name: str, sent: int, replied: int, today: int) -> Performance:
    counts = EngagementCounts(sender=name, sent=sent, replied=replied, opened=sent)
    return Performance(Mailbox(id=name, workspace=1, address=name), Totals(sent_today=today), counts, KNOWN)


FOUND = [
    mailbox("busy@a.example", 100, 5, 2), mailbox("idle@a.example", 0, 0, 0), mailbox("keen@a.example", 10, 4, 9),
    mailbox("also@a.example", 20, 8, 1),
]  # fmt: skip
ORDERS = {
    "address": "also busy idle keen",
    "-address": "keen idle busy also",
    "sent": "idle keen also busy",
    "-sent": "busy also keen idle",
    "today": "idle also busy keen",
    "-today": "keen busy also idle",
    "replied": "busy also keen idle",  # shares, not numbers; nobody can say of those that sent nothing
    "-replied": "also keen busy idle",
    "opened": "also busy idle keen",  # nobody counts them
    "-opened": "also busy idle keen",
}


@pytest.mark.parametrize("sort", ORDERS)
def test_order(sort: str) -> None:
    found = in_order(FOUND, sort.removeprefix("-"), backwards=sort.startswith("-"))
    assert " ".join(one.mailbox.id.partition("@")[0] for one in found) == ORDERS[sort]
