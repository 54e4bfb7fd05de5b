"""Lists of messages, any page of them at once.

Where nothing but status and time decides, the numbers that are kept tell how many there are and where a page begins, so
no row is counted or skipped that is more than ten minutes away from it. Of several statuses each is read in the order
of its index, and what is near is merged. By score, rows are skipped within an index, what has none behind all others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_, union, union_all

from mailvane.core.ledger.columns import contains, plain
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.questions import MessagePage, MessageQuestion
from mailvane.inbound.store import tallies
from mailvane.inbound.store.rows import COLUMNS, message_of
from mailvane.inbound.store.tables import contacts, messages
from mailvane.inbound.store.tallies import STRETCH_MS

_NEAR = 1000  # rows from either end are counted off sooner than looked for
_MERGED = 2 * _NEAR  # rows that are skipped of several statuses, merged
_SEARCHED = 1000  # rows that have a part of a text are looked for in one go
_KEPT = ("pending", "snoozed", "quarantined", "failed", "bounced")  # statuses of messages that may have content


class MessagePages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, question: MessageQuestion, offset: int = 0, limit: int = 25) -> MessagePage:
        """A part of them, and how many there are in all."""
        with self._database.read() as connection:
            if question.text and offset + limit <= _SEARCHED:
                return _searched(connection, question, offset, limit)
            total = self._total(connection, question)
            if offset >= total or limit <= 0:
                return MessagePage(total, [])
            near = min(offset, max(0, total - offset - limit)) <= _NEAR
            part = _Part(offset, min(limit, total - offset), total)
            if question.order == "score" and _is_by_status(question):
                serials = _by_score(connection, question, part)
            elif _is_tallied(question) and question.order == "received_at" and not near:
                serials = _by_stretch(connection, question, offset, limit)
            else:
                serials = _skipping(connection, question, (), part)
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
        return _count(connection, question)


def _count(connection: Connection, question: MessageQuestion) -> int:
    counted = select(func.count()).select_from(messages).where(*_conditions(question))
    return connection.execute(counted).scalar_one()


def _searched(connection: Connection, question: MessageQuestion, offset: int, limit: int) -> MessagePage:
    """What has a part of a text: all are read, and where few have it, once."""
    wanted = _ordered(question, (), 0, _SEARCHED + 1, descending=not question.ascending)
    serials = [row.serial for row in connection.execute(wanted)]
    total = len(serials) if len(serials) <= _SEARCHED else _count(connection, question)
    return MessagePage(total, _read(connection, serials[offset : offset + limit]))


def _is_tallied(question: MessageQuestion) -> bool:
    """Whether nothing but the status decides."""
    others = (question.address, question.contact, question.sender, question.recipient, question.text, question.since)
    return all(each is None for each in (*others, question.until, question.contact_state))


def _whats(question: MessageQuestion) -> list[str]:
    if question.statuses is None:
        return [tallies.of_messages(None)]
    return [tallies.of_messages(status) for status in set(question.statuses)]


class _Part(NamedTuple):
    """`rows` behind `skip` of `total`."""

    skip: int
    rows: int
    total: int


def _by_stretch(connection: Connection, question: MessageQuestion, offset: int, limit: int) -> list[int]:
    place = tallies.place(connection, question.workspace, _whats(question), offset, ascending=question.ascending)
    if place is None:
        return []
    begin = place.stretch * STRETCH_MS
    received = messages.c.received_at
    later = received >= begin if question.ascending else received < begin + STRETCH_MS
    wanted = _ordered(question, (later,), place.skip, limit, descending=not question.ascending)
    return [row.serial for row in connection.execute(wanted)]


def _by_score(connection: Connection, question: MessageQuestion, part: _Part) -> list[int]:
    """What has no score comes last in every order: it is unknown, neither high nor low."""
    unscored = _count_unscored(connection, question, part.total)
    scored = part.total - unscored
    found: list[int] = []
    if part.skip < scored:
        count = min(part.rows, scored - part.skip)
        found = _skipping(connection, question, (messages.c.score.is_not(None),), _Part(part.skip, count, scored))
    if unscored and len(found) < part.rows:
        rest = _Part(max(0, part.skip - scored), part.rows - len(found), unscored)
        found += _skipping(connection, question, (messages.c.score.is_(None),), rest)
    return found


def _count_unscored(connection: Connection, question: MessageQuestion, total: int) -> int:
    """Counted only where there are both."""
    scored, unscored = (
        _serials(question, (condition,)).limit(1)
        for condition in (messages.c.score.is_not(None), messages.c.score.is_(None))
    )
    if connection.execute(unscored).first() is None:
        return 0
    if connection.execute(scored).first() is None:
        return total
    counted = select(func.count()).select_from(_serials(question, (messages.c.score.is_(None),)).subquery())
    return connection.execute(counted).scalar_one()


def _skipping(
    connection: Connection, question: MessageQuestion, inside: Sequence[ColumnElement[bool]], part: _Part
) -> list[int]:
    """The serials of a part. What lies behind the middle is nearer to the end."""
    backwards = part.skip > part.total // 2
    skip = part.total - part.skip - part.rows if backwards else part.skip
    wanted = _ordered(question, inside, skip, part.rows, descending=question.ascending == backwards)
    serials = [row.serial for row in connection.execute(wanted)]
    return serials[::-1] if backwards else serials


def _ordered(
    question: MessageQuestion, inside: Sequence[ColumnElement[bool]], skip: int, count: int, *, descending: bool
) -> Select[Any]:
    """Of several statuses each has its rows in this order in an index: as long as few are skipped, they are merged."""
    order = _order(question, descending=descending)
    statuses = sorted(set(question.statuses or ()))
    if len(statuses) <= 1 or skip > _MERGED or not _is_by_status(question):
        return _serials(question, inside).order_by(*order).offset(skip).limit(count)
    column = messages.c[question.order]
    parts = [
        select(messages.c.serial, column.label("place"))
        .where(messages.c.workspace == question.workspace, *_filters(question, (status,)), *inside)
        .order_by(*order)
        .limit(skip + count)
        .subquery()
        for status in statuses
    ]
    merged = union_all(*(select(part.c.serial, part.c.place) for part in parts)).subquery()
    keys = (merged.c.place, merged.c.serial)
    return (
        select(merged.c.serial)
        .order_by(*(key.desc() if descending else key.asc() for key in keys))
        .offset(skip)
        .limit(count)
    )


def _serials(question: MessageQuestion, inside: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return select(messages.c.serial).where(*_conditions(question), *inside)


def _order(question: MessageQuestion, *, descending: bool) -> list[ColumnElement[Any]]:
    column: ColumnElement[Any] = messages.c[question.order]
    if question.order == "score" and not _is_by_status(question):  # all of them are sorted
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


def _is_by_status(question: MessageQuestion) -> bool:
    """Whether statuses choose better than whatever else is asked for."""
    others = (question.address, question.contact, question.sender, question.recipient, question.text)
    return all(each is None for each in others)


def _conditions(question: MessageQuestion) -> list[ColumnElement[bool]]:
    # Serials that are known already are looked up: not compared with all of a workspace, in the order of an index.
    own: ColumnElement[int] = (
        messages.c.workspace if question.sender is None else func.coalesce(messages.c.workspace, 0)
    )
    return [own == question.workspace, *_filters(question, question.statuses)]


def _filters(question: MessageQuestion, statuses: Collection[MessageStatus] | None) -> Iterator[ColumnElement[bool]]:
    if statuses is not None:
        wanted = sorted({status.value for status in statuses})
        # What one person or mailbox has is few: an index of statuses is not to be preferred to theirs. Nor is it to one
        # of scores, where rows of several statuses are skipped.
        by_index = _is_by_status(question) and (len(wanted) == 1 or question.order != "score")
        status: ColumnElement[str] = messages.c.status if by_index else func.coalesce(messages.c.status, "")
        yield status == wanted[0] if len(wanted) == 1 else status.in_(wanted)
    if question.address is not None:
        yield messages.c.address == plain(question.address)
    if question.contact is not None:
        yield messages.c.contact == plain(question.contact)
    if question.sender is not None:
        yield _is_from(question.workspace, plain(question.sender))
    if question.recipient is not None:
        yield messages.c.recipient == plain(question.recipient)
    if question.since is not None:
        yield messages.c.received_at >= question.since
    if question.until is not None:
        yield messages.c.received_at < question.until
    if question.text:
        columns = (messages.c.subject, messages.c.from_address, messages.c.from_name, messages.c.recipient)
        yield or_(*(contains(column, question.text) for column in columns))
    if question.contact_state is not None:
        own = contacts.c.workspace == question.workspace, contacts.c.state == question.contact_state.value
        yield messages.c.contact.in_(select(contacts.c.id).where(*own))


def _is_from(workspace: int, sender: str) -> ColumnElement[bool]:
    """In the envelope, or in From: whoever is there is the message's contact, by which it is found."""
    own = contacts.c.workspace == workspace, contacts.c.email == plain(sender[:320].lower())
    contact = select(contacts.c.id).where(*own).scalar_subquery()
    one = select(messages.c.serial).where(messages.c.workspace == workspace)
    either = union(
        one.where(messages.c.sender == sender),
        one.where(messages.c.contact == contact, messages.c.from_address == sender),
    )
    return messages.c.serial.in_(either)
