"""Lists of messages, any page of them at once.

Where nothing but status and time decides, the numbers that are kept tell how many there are and where a page begins, so
no row is counted or skipped that is more than ten minutes away from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_

from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.questions import MessagePage, MessageQuestion
from mailvane.inbound.store import tallies
from mailvane.inbound.store.rows import COLUMNS, message_of
from mailvane.inbound.store.tables import contacts, messages
from mailvane.inbound.store.tallies import STRETCH_MS

_NEAR = 1000  # rows from either end are counted off sooner than looked for
_KEPT = ("pending", "snoozed", "quarantined", "failed", "bounced")  # statuses of messages that may have content


class MessagePages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, question: MessageQuestion, offset: int = 0, limit: int = 25) -> MessagePage:
        """A part of them, and how many there are in all."""
        with self._database.read() as connection:
            total = self._total(connection, question)
            if offset >= total or limit <= 0:
                return MessagePage(total, [])
            near = min(offset, max(0, total - offset - limit)) <= _NEAR and len(question.statuses or ()) <= 1
            if _is_tallied(question) and question.order == "received_at" and not near:
                serials = _by_stretch(connection, question, offset, limit)
            else:
                serials = _by_offset(connection, question, offset, min(limit, total - offset), total)
            found = _read(connection, serials)
        return MessagePage(total, found)

    def walk(self, workspace: int, since: int, at_once: int) -> Iterator[list[Message]]:
        """All that came at that time or later, the oldest first, in parts; whoever asks takes his time between them."""
        at, serial = since, 0
        while True:
            own = messages.c.workspace == workspace, tuple_(messages.c.received_at, messages.c.serial) > (at, serial)
            wanted = select(messages.c.serial, *COLUMNS).where(*own)
            with self._database.read() as connection:
                ordered = wanted.order_by(messages.c.received_at, messages.c.serial).limit(at_once)
                rows = connection.execute(ordered).all()
            if not rows:
                return
            yield [message_of(row, "serial") for row in rows]
            at, serial = rows[-1].received_at, rows[-1].serial

    def has_any(self, workspace: int) -> bool:
        """Whether the gateway has taken in any that is not forgotten."""
        with self._database.read() as connection:
            one = select(messages.c.serial).where(messages.c.workspace == workspace).limit(1)
            return connection.execute(one).first() is not None

    def counts(self, workspace: int) -> dict[MessageStatus, int]:
        """How many there are of each status."""
        names = {tallies.of_messages(status): status for status in MessageStatus}
        with self._database.read() as connection:
            found = tallies.by_what(connection, workspace, names)
        return {status: found.get(name, 0) for name, status in names.items()}

    def kept_bytes(self, workspace: int) -> int:
        """How large the messages are whose content is kept, before it is compressed."""
        own = messages.c.workspace == workspace, messages.c.status.in_(_KEPT), messages.c.content.is_not(None)
        wanted = select(func.coalesce(func.sum(messages.c.size), 0)).where(*own)
        with self._database.read() as connection:
            return int(connection.execute(wanted).scalar_one())

    def _total(self, connection: Connection, question: MessageQuestion) -> int:
        if _is_tallied(question):
            return tallies.total(connection, question.workspace, _whats(question))
        counted = select(func.count()).select_from(messages).where(*_conditions(question))
        return connection.execute(counted).scalar_one()


def _is_tallied(question: MessageQuestion) -> bool:
    """Whether nothing but the status decides."""
    others = (question.address, question.contact, question.sender, question.recipient, question.text, question.since)
    return all(each is None for each in (*others, question.until, question.contact_state))


def _whats(question: MessageQuestion) -> list[str]:
    if question.statuses is None:
        return [tallies.of_messages(None)]
    return [tallies.of_messages(status) for status in set(question.statuses)]


def _by_stretch(connection: Connection, question: MessageQuestion, offset: int, limit: int) -> list[int]:
    found: list[int] = []
    while len(found) < limit:
        place = tallies.place(
            connection, question.workspace, _whats(question), offset + len(found), ascending=question.ascending
        )
        if place is None:
            return found
        begin = place.stretch * STRETCH_MS
        inside = (messages.c.received_at >= begin, messages.c.received_at < begin + STRETCH_MS)
        if len(question.statuses or ()) <= 1:  # one index has them all in their order
            later = inside[0] if question.ascending else inside[1]
            order = _order(question, descending=not question.ascending)
            wanted = _serials(question, (later,)).order_by(*order).offset(place.skip).limit(limit)
            return [row.serial for row in connection.execute(wanted)]
        count = min(limit - len(found), place.rows - place.skip)
        rows = _skipping(connection, question, inside, (place.skip, count, place.rows))
        if not rows:  # the numbers promise more than there is: never for ever
            return found
        found += rows
    return found


def _by_offset(connection: Connection, question: MessageQuestion, offset: int, limit: int, total: int) -> list[int]:
    return _skipping(connection, question, (), (offset, limit, total))


def _skipping(
    connection: Connection,
    question: MessageQuestion,
    inside: Sequence[ColumnElement[bool]],
    part: tuple[int, int, int],
) -> list[int]:
    """The serials of `count` rows behind `skip` of `total`. What lies behind the middle is nearer to the end."""
    skip, count, total = part
    backwards = skip > total // 2
    order = _order(question, descending=question.ascending == backwards)
    wanted = (
        _serials(question, inside).order_by(*order).offset(total - skip - count if backwards else skip).limit(count)
    )
    serials = [row.serial for row in connection.execute(wanted)]
    return serials[::-1] if backwards else serials


def _serials(question: MessageQuestion, inside: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return select(messages.c.serial).where(*_conditions(question), *inside)


def _order(question: MessageQuestion, *, descending: bool) -> list[ColumnElement[Any]]:
    column: ColumnElement[Any] = messages.c[question.order]
    if question.order == "score":
        # What has no score comes last in every order: it is unknown, neither high nor low.
        nulls = column.is_(None)
        first = nulls.asc() if question.ascending is not descending else nulls.desc()
        return [first, column.desc() if descending else column.asc(), _serial(descending=descending)]
    return [column.desc() if descending else column.asc(), _serial(descending=descending)]


def _serial(*, descending: bool) -> ColumnElement[int]:
    return messages.c.serial.desc() if descending else messages.c.serial.asc()


def _read(connection: Connection, serials: Sequence[int]) -> list[Message]:
    wanted = select(messages.c.serial, *COLUMNS).where(messages.c.serial.in_(serials))
    rows = {row.serial: row for row in connection.execute(wanted)}
    return [message_of(row, "serial") for serial in serials if (row := rows.get(serial)) is not None]


def _conditions(question: MessageQuestion) -> list[ColumnElement[bool]]:
    return [messages.c.workspace == question.workspace, *_filters(question)]


def _filters(question: MessageQuestion) -> Iterator[ColumnElement[bool]]:
    if question.statuses is not None:
        yield messages.c.status.in_(sorted({status.value for status in question.statuses}))
    if question.address is not None:
        yield messages.c.address == plain(question.address)
    if question.contact is not None:
        yield messages.c.contact == plain(question.contact)
    if question.sender is not None:
        sender = plain(question.sender)
        yield or_(messages.c.sender == sender, messages.c.from_address == sender)
    if question.recipient is not None:
        yield messages.c.recipient == plain(question.recipient)
    if question.since is not None:
        yield messages.c.received_at >= question.since
    if question.until is not None:
        yield messages.c.received_at < question.until
    if question.text:
        part = plain(question.text)
        columns = (messages.c.subject, messages.c.from_address, messages.c.from_name, messages.c.recipient)
        yield or_(*(column.icontains(part, autoescape=True) for column in columns))
    if question.contact_state is not None:
        own = contacts.c.workspace == question.workspace, contacts.c.state == question.contact_state.value
        yield messages.c.contact.in_(select(contacts.c.id).where(*own))
