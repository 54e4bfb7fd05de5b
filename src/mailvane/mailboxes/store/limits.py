"""What mailboxes may send today, read within the transaction of whoever decides on their mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from mailvane.core.ledger.columns import in_chunks, plain, value_of
from mailvane.core.ledger.database import PreparedChoice
from mailvane.core.ledger.memory import Memory
from mailvane.mailboxes.model import Mailbox
from mailvane.mailboxes.store.tables import mailboxes

_AT_ONCE = 500
_NAMED = PreparedChoice(select(mailboxes.c.address, mailboxes.c.document).where, mailboxes.c.address)


class Allowance(NamedTuple):
    """How many mails a mailbox may send in each window; None: as many as it likes."""

    workspace: int
    address: str
    hourly: int | None
    daily: int | None
    monthly: int | None


def allowances(connection: Connection, memory: Memory, addresses: Sequence[str], now: int) -> Iterator[Allowance]:
    """Of the mailboxes of these addresses that have a limit."""
    for part in in_chunks(addresses, _AT_ONCE):
        asked = list(dict.fromkeys(map(plain, part)))
        known = memory.rows("mailboxes", connection, _NAMED, asked)
        for row in (row for address in asked for row in known[address]):
            mailbox = value_of(row.document, Mailbox)
            allowed = mailbox.allowed_today(now) if mailbox.sending_enabled else 0
            windows = (mailbox.hourly_limit, allowed, mailbox.monthly_limit)
            if any(most is not None for most in windows):
                yield Allowance(mailbox.workspace, mailbox.address, *windows)
