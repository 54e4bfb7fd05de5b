"""Every event of a mail, in ClickHouse SQL. Every value is bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.rows import EVENT_COLUMNS, decode_events
from mailvane.maillog.model import MailEvent, MailKey

# In the order in which a mail's life goes: so stands what happened at the same time.
_ORDER = ["accepted", "held", "reinjected", "deferred", "discarded", "delivered", "bounced", "expired"]
_COLUMNS = ", ".join(f"`{name}`" for name in EVENT_COLUMNS)


def events_of(workspace: int, mails: Sequence[MailKey], lines: Callable[[Statement], bytes]) -> list[MailEvent]:
    """One mail after the other, the oldest event first; `lines` gives a JSON array a line."""
    lives: dict[MailKey, list[MailEvent]] = {mail: [] for mail in mails}
    if not lives:
        return []
    for event in decode_events(lines(_statement(workspace, mails))):
        if event.key in lives:
            lives[event.key].append(event)
    return [event for life in lives.values() for event in life]


def _statement(workspace: int, mails: Sequence[MailKey]) -> Statement:
    """Also the events of a mail whose relay, time and number are each of another one of these."""
    return Statement(
        f"SELECT {_COLUMNS} FROM {{events}}"
        " WHERE workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
        " AND accepted_at IN {moments:Array(Int64)} AND number IN {numbers:Array(UInt32)}"
        f" ORDER BY at, indexOf({_ORDER}, type), line, recipient_number, recipient",
        {
            "workspace": workspace,
            "relays": sorted({mail.relay for mail in mails}),
            "moments": sorted({mail.accepted_at for mail in mails}),
            "numbers": sorted({mail.number for mail in mails}),
        },
    )
