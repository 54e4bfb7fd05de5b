"""Lists of messages, any page of them at once.

Where nothing but the status decides, the numbers that are kept tell how many there are and where a page begins, so no
row is counted or skipped that is more than ten minutes of arrival or an eighth of a score away from it. Of several
statuses each is read in the order of its index, and what is near is merged. What has no score is behind all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isinf
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_, union, union_all

from mailvane.core.ledger.columns import is_one_of_numbers, plain
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.questions import MessagePage, MessageQuestion
from mailvane.inbound.store import tallies
from mailvane.inbound.store.rows import COLUMNS, message_of
from mailvane.inbound.store.searching import Matches, TextSearch
from mailvane.inbound.store.tables import contacts, messages
from mailvane.inbound.store.tallies import STRETCH_MS

_MERGED = 2000  # rows that are skipped of several statuses, merged
_FOUND = 5000  # rows that have a part of a text are sorted; of more, an order's index is read
_KEPT = ("pending", "snoozed", "quarantined", "failed", "bounced")  # statuses of messages that may have content


class MessagePages:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._search = TextSearch(database)

    def page(self, question: MessageQuestion, offset: int = 0, limit: int = 25) -> MessagePage:
        """A part of them, and how many there are in all."""
        with self._database.read() as connection:
            wanted = self._wanted(connection, question)
            total = _total(connection, wanted)
            if offset >= total or limit <= 0:
                return MessagePage(total, [])
            part = _Part(offset, min(limit, total - offset), total)
            if _is_tallied(wanted):
                serials = _by_stretch(connection, wanted, part)
            elif wanted.is_only_text and question.order == "received_at":
                serials = self._by_block(connection, wanted, part)
            elif question.order == "score" and _is_by_status(wanted.question):
                serials = _by_score(connection, wanted, part)
            else:
                serials = _skipping(connection, wanted, part)
            found = _read(connection, serials)
        return MessagePage(total, found)

    def _wanted(self, connection: Connection, question: MessageQuestion) -> _Wanted:
        """With a text, the messages that have it are known first. Few of them choose better than all else that is asked
        for; many are a condition as others are; and if all have it, it is none."""
        if not question.text:
            return _Wanted(question)
        found = self._search.matches(connection, question.workspace, question.text)
        count = found.count
        if count <= _FOUND:
            return _Wanted(question, (is_one_of_numbers(self._database, messages.c.serial, found.serials()),), count)
        others = msgspec.structs.replace(question, text=None)
        if count == tallies.total(connection, question.workspace, [tallies.of_messages(None)]):
            return _Wanted(others)
        return _Wanted(others, (self._search.among(found),), count, found)

    def _by_block(self, connection: Connection, wanted: _Wanted, part: _Part) -> list[int]:
        """Of many that have a text, from where the times of the blocks say that the part begins."""
        question, skip = wanted.question, part.skip
        ascending, received = question.ascending, messages.c.received_at
        ahead, begin = wanted.matches.before(skip, ascending=ascending)
        if ahead.blocks:
            # Blocks overlap in time a little: some of what is ahead may come after the time all the same.
            times = [ahead.times[block] for block in ahead.blocks]
            overlap = (
                received.between(begin, max(each.last for each in times))
                if ascending
                else received.between(min(each.first for each in times), begin)
            )
            late = _Wanted(MessageQuestion(workspace=question.workspace), (overlap, self._search.among(ahead)))
            skip -= ahead.count - _count(connection, late)
        after = wanted.and_also(received >= begin if ascending else received <= begin)
        ordered = _ordered(after, skip, part.rows, descending=not ascending)
        return [row.serial for row in connection.execute(ordered)]

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


class _Wanted(NamedTuple):
    """A question, whose text is answered by conditions; `found` is how many messages have it."""

    question: MessageQuestion
    conditions: tuple[ColumnElement[bool], ...] = ()
    found: int | None = None
    matches: Matches = Matches({}, {})  # where they are many

    @property
    def is_only_text(self) -> bool:
        """Whether many have the text, and nothing else is asked."""
        return bool(self.matches.blocks) and self.question.statuses is None and _is_by_status_only(self.question)

    def and_also(self, condition: ColumnElement[bool]) -> _Wanted:
        return self._replace(conditions=(*self.conditions, condition))


def _total(connection: Connection, wanted: _Wanted) -> int:
    question = wanted.question
    if not _is_by_status_only(question):
        return _count(connection, wanted)
    if wanted.found is not None and question.statuses is None:
        return wanted.found
    if _is_tallied(wanted):
        return tallies.total(connection, question.workspace, _whats(question))
    return _count(connection, wanted)


def _count(connection: Connection, wanted: _Wanted) -> int:
    counted = select(func.count()).select_from(messages).where(*_conditions(wanted))
    return connection.execute(counted).scalar_one()


def _is_tallied(wanted: _Wanted) -> bool:
    """Whether nothing but the status decides."""
    return not wanted.conditions and _is_by_status_only(wanted.question)


def _is_by_status_only(question: MessageQuestion) -> bool:
    """Whether nothing but the status decides, and what is found by a text."""
    others = (question.address, question.contact, question.sender, question.recipient, question.since)
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


def _by_stretch(connection: Connection, wanted: _Wanted, part: _Part) -> list[int]:
    """From where the numbers that are kept say that the part begins."""
    question = wanted.question
    find = tallies.place if question.order == "received_at" else tallies.place_by_score
    place = find(connection, question.workspace, _whats(question), part.skip, ascending=question.ascending)
    if place is None:
        return []
    within = wanted.and_also(_from_there(question, place.stretch))
    ordered = _ordered(within, place.skip, part.rows, descending=not question.ascending)
    serials = [row.serial for row in connection.execute(ordered)]
    if question.order == "score" and place.stretch != tallies.UNSCORED and len(serials) < part.rows:
        unscored = wanted.and_also(messages.c.score.is_(None))
        rest = _ordered(unscored, 0, part.rows - len(serials), descending=not question.ascending)
        serials += [row.serial for row in connection.execute(rest)]
    return serials


def _from_there(question: MessageQuestion, stretch: int) -> ColumnElement[bool]:
    """What is in a stretch or comes after it."""
    if question.order == "received_at":
        begin = stretch * STRETCH_MS
        received = messages.c.received_at
        return received >= begin if question.ascending else received < begin + STRETCH_MS
    if stretch == tallies.UNSCORED:
        return messages.c.score.is_(None)
    first, end = tallies.score_bounds(stretch)
    if isinf(first if question.ascending else end):
        return messages.c.score.is_not(None)
    return messages.c.score >= first if question.ascending else messages.c.score < end


def _by_score(connection: Connection, wanted: _Wanted, part: _Part) -> list[int]:
    """What has no score comes last in every order: it is unknown, neither high nor low."""
    with_score = wanted.and_also(messages.c.score.is_not(None))
    without = wanted.and_also(messages.c.score.is_(None))
    unscored = _count_unscored(connection, with_score, without, part.total)
    scored = part.total - unscored
    found: list[int] = []
    if part.skip < scored:
        count = min(part.rows, scored - part.skip)
        found = _skipping(connection, with_score, _Part(part.skip, count, scored))
    if unscored and len(found) < part.rows:
        rest = _Part(max(0, part.skip - scored), part.rows - len(found), unscored)
        found += _skipping(connection, without, rest)
    return found


def _count_unscored(connection: Connection, with_score: _Wanted, without: _Wanted, total: int) -> int:
    """Counted only where there are both."""
    if connection.execute(_serials(without).limit(1)).first() is None:
        return 0
    if connection.execute(_serials(with_score).limit(1)).first() is None:
        return total
    return _count(connection, without)


def _skipping(connection: Connection, wanted: _Wanted, part: _Part) -> list[int]:
    """The serials of a part. What lies behind the middle is nearer to the end."""
    backwards = part.skip > part.total // 2
    skip = part.total - part.skip - part.rows if backwards else part.skip
    ordered = _ordered(wanted, skip, part.rows, descending=wanted.question.ascending == backwards)
    serials = [row.serial for row in connection.execute(ordered)]
    return serials[::-1] if backwards else serials


def _ordered(wanted: _Wanted, skip: int, count: int, *, descending: bool) -> Select[Any]:
    """Of several statuses each has its rows in this order in an index: as long as few are skipped, they are merged."""
    question = wanted.question
    order = _order(question, descending=descending)
    statuses = sorted(set(question.statuses or ()))
    if len(statuses) <= 1 or skip > _MERGED or not _is_by_status(question):
        return _serials(wanted).order_by(*order).offset(skip).limit(count)
    column = messages.c[question.order]
    parts = [
        _serials(wanted._replace(question=msgspec.structs.replace(question, statuses=(status,))))
        .add_columns(column.label("place"))
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


def _serials(wanted: _Wanted) -> Select[Any]:
    return select(messages.c.serial).where(*_conditions(wanted))


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


def _conditions(wanted: _Wanted) -> list[ColumnElement[bool]]:
    # Serials that are known already are looked up: not compared with all of a workspace, in the order of an index.
    question = wanted.question
    looked_up = question.sender is not None or question.text is not None
    own: ColumnElement[int] = func.coalesce(messages.c.workspace, 0) if looked_up else messages.c.workspace
    return [own == question.workspace, *_filters(question), *wanted.conditions]


def _filters(question: MessageQuestion) -> Iterator[ColumnElement[bool]]:
    if question.statuses is not None:
        wanted = sorted({status.value for status in question.statuses})
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
