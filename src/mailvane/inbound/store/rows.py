"""Messages as rows of the ledger and back, and the changes of a message's life. No statement is executed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from mailvane.core.ledger.columns import plain
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.store.tables import messages
from mailvane.maillog.model import MailEvent

COLUMNS = tuple(column for column in messages.c if column.name != "serial")


class NewMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that was taken in: a message for each recipient, with `contact` still empty, and its events."""

    workspace: int
    messages: tuple[Message, ...]
    events: tuple[MailEvent, ...]
    week: int  # that it counts for, by its first millisecond
    packed: bytes | None = None  # the content, compressed, where it is kept beside the messages
    limits: tuple[tuple[str, int], ...] = ()  # id of an address, or "" for the workspace, and its messages a week


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A step in a message's life: from what it was to what it is, with what the mail log is told of it."""

    before: Message
    after: Message
    events: tuple[MailEvent, ...] = ()


def row_of(message: Message, names: Sequence[str] = Message.__struct_fields__) -> dict[str, Any]:
    """Those columns, the status among them."""
    row: dict[str, Any] = {name: getattr(message, name) for name in names}
    row = {name: plain(value) if isinstance(value, str) else value for name, value in row.items()}
    return {**row, "status": message.status.value}


def message_of(row: Row[Any], *others: str) -> Message:
    """Of a row of COLUMNS, and of others that are none of a message's."""
    values = row._asdict()
    for name in others:
        del values[name]
    return Message(**{**values, "status": MessageStatus(values["status"])})
