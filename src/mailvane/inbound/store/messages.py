"""Messages in the ledger: taken in, in hand of a process, changed step by step. Lists of them are `message_pages`.

What is counted changes with the messages, in the same transaction: contacts, weeks, numbers of the lists, and the
events on their way to the mail log. So whatever kills the process, all of them agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Select, Update, bindparam, case, delete, insert, select, update

from mailvane.core.ledger.columns import in_chunks, plain
from mailvane.core.ledger.database import Database, Prepared, PreparedChoice, rows_given, unchanged
from mailvane.core.ledger.tables import workspaces
from mailvane.inbound.model import AuditEntry, Message, MessageStatus
from mailvane.inbound.store import audit, contacts, indexing, spool, tallies, teams
from mailvane.inbound.store.contacts import Seen
from mailvane.inbound.store.rows import COLUMNS, Change, NewMail, message_of, row_of
from mailvane.inbound.store.tables import messages
from mailvane.inbound.store.tallies import TallyKey
from mailvane.inbound.store.teams import WHOLE, WeekKey
from mailvane.maillog.model import EventBatch, MailEvent
from mailvane.maillog.store import journal
from mailvane.maillog.store.journal import PackedBatch

_AT_ONCE = 500
_CHANGED = tuple(
    name
    for name in Message.__struct_fields__
    if name
    in {
        "status", "target", "score", "reason", "filter", "content", "hop", "marks", "attempts", "next_at", "holder",
        "reply", "delivered_at", "changed_at", "expires_at", "trained",
    }
)  # fmt: skip


class Kept(NamedTuple):
    """What a transaction came to."""

    refused: list[str | None]  # of each mail, whose weekly limit it would have gone over
    changed: set[str]  # ids of the messages whose steps were taken


class MessageStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, mails: Sequence[NewMail], now: int) -> list[str | None]:
        """Keep mails, all in one transaction; of each, None, or whose weekly limit it would have gone over.

        The latter, the id of an address or "" for the workspace, is not kept. Raises StoreUnavailable.
        """
        return self.keep(mails, (), now).refused

    def change(
        self, steps: Sequence[Change], now: int, entries: Mapping[int, Sequence[AuditEntry]] | None = None
    ) -> set[str]:
        """Take those steps whose message still is what it was before: same status, same holder. The ids of those.

        All in one transaction, with audit entries by workspace. Raises StoreUnavailable.
        """
        return self.keep((), steps, now, entries).changed

    def keep(
        self,
        mails: Sequence[NewMail],
        steps: Sequence[Change],
        now: int,
        entries: Mapping[int, Sequence[AuditEntry]] | None = None,
    ) -> Kept:
        """Both, in one transaction. Raises StoreUnavailable."""
        # What can be done before the transaction keeps other writers waiting for less.
        rows = {message.id: row_of(message) for mail in mails for message in mail.messages}
        values = [_values(step) for step in steps]
        told = self._told(mails, steps)
        with self._database.write() as connection:
            refused = self._within_limits(connection, mails)
            taken = [mail for mail, over in zip(mails, refused, strict=True) if over is None]
            as_before = _unchanged(connection, [step.before for step in steps])
            changed = [step for step in steps if step.before.id in as_before]
            if len(taken) + len(changed) < len(mails) + len(steps):
                told = self._told(taken, changed)
            self._insert(connection, taken, rows)
            if changed:
                _CHANGE.many(connection, [row for row in values if row["changed"] in as_before])
                spool.drop(connection, [step.before.id for step in changed if step.after.content is None])
            tallies.add(connection, self._database, _counted(taken, changed))
            journal.post(connection, told, now)
            for workspace, written in (entries or {}).items():
                audit.write(connection, workspace, [one for one in written if one.subject in as_before])
        return Kept(refused, as_before)

    def message(self, workspace: int, message_id: str) -> Message | None:
        """The one of that id."""
        own = messages.c.workspace == workspace, messages.c.id == plain(message_id)
        with self._database.read() as connection:
            row = connection.execute(select(*COLUMNS).where(*own)).one_or_none()
        return None if row is None else message_of(row)

    def by_id(self, workspace: int, ids: Sequence[str]) -> dict[str, Message]:
        """Those of these ids, by id."""
        found: dict[str, Message] = {}
        with self._database.read() as connection:
            for some in in_chunks(ids, _AT_ONCE):
                own = messages.c.workspace == workspace, messages.c.id.in_([plain(each) for each in some])
                found |= {row.id: message_of(row) for row in connection.execute(select(*COLUMNS).where(*own))}
        return found

    def remove(self, gone: Sequence[Message], entries: Mapping[int, Sequence[AuditEntry]] | None = None) -> set[str]:
        """Forget messages that still are what they were; the ids of those that are forgotten now."""
        with self._database.write() as connection:
            as_before = _unchanged(connection, gone)
            counted: Counter[TallyKey] = Counter()
            for message in gone:
                if message.id in as_before:
                    tallies.count_message(counted, message, -1)
            removed: list[tuple[int, int]] = []
            for some in in_chunks(sorted(as_before), _AT_ONCE):
                removing = delete(messages).where(messages.c.id.in_(some))
                rows = connection.execute(removing.returning(messages.c.workspace, messages.c.serial))
                removed += [(row.workspace, row.serial) for row in rows]
                spool.drop(connection, some)
            indexing.forget(connection, removed)
            tallies.add(connection, self._database, counted)
            for workspace, written in (entries or {}).items():
                audit.write(connection, workspace, [one for one in written if one.subject in as_before])
        return as_before

    def old(self, statuses: Collection[MessageStatus], before: int, limit: int) -> list[Message]:
        """The oldest of these statuses that came before a time, of all workspaces, the oldest first."""
        wanted = select(*COLUMNS).where(
            messages.c.status.in_(sorted(statuses)), messages.c.received_at < before, messages.c.next_at.is_(None)
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(messages.c.received_at).limit(limit))
            return [message_of(row) for row in rows]

    def expired(self, now: int, limit: int) -> list[Message]:
        """Held ones whose time is over."""
        wanted = select(*COLUMNS).where(messages.c.expires_at <= now).order_by(messages.c.expires_at).limit(limit)
        with self._database.read() as connection:
            return [message_of(row) for row in connection.execute(wanted)]

    def uses(self, contents: Collection[str]) -> set[str]:
        """Those of these contents that a message still refers to."""
        found: set[str] = set()
        with self._database.read() as connection:
            for some in in_chunks(sorted(contents), _AT_ONCE):
                found |= {row.content for row in _USED.rows(connection, some)}
        return found

    def _within_limits(self, connection: Connection, mails: Sequence[NewMail]) -> list[str | None]:
        """Of each mail whose limit it is over, in the order in which they came; the others are counted."""
        limited = {
            WeekKey(mail.workspace, address, mail.week) for mail in mails for address, limit in mail.limits if limit
        }
        used = teams.locked(connection, self._database, limited)
        more: Counter[WeekKey] = Counter()
        answers: list[str | None] = []
        for mail in mails:
            wanted = Counter({WeekKey(mail.workspace, WHOLE, mail.week): len(mail.messages)})
            wanted.update(
                WeekKey(mail.workspace, one.address, mail.week) for one in mail.messages if one.address is not None
            )
            over = next(
                (address for address, limit in mail.limits if limit and _is_over(mail, address, limit, wanted, used)),
                None,
            )
            answers.append(over)
            if over is None:
                more.update(wanted)
                used.update(wanted)
        teams.count(connection, self._database, more)
        return answers

    def _meet(self, connection: Connection, mails: Sequence[NewMail]) -> dict[tuple[int, str], str]:
        """The ids of the senders, by workspace and address."""
        seen: dict[int, dict[str, Seen]] = {}
        for mail in sorted(mails, key=lambda each: each.workspace):
            first = mail.messages[0]
            senders, email = seen.setdefault(mail.workspace, {}), contact_email(first)
            before = senders.get(email, Seen(0, 0, ""))
            senders[email] = Seen(before.mails + 1, max(before.at, first.received_at), before.name or first.from_name)
        return {
            (workspace, email): contact
            for workspace, senders in seen.items()
            for email, contact in contacts.meet(connection, self._database, workspace, senders).items()
        }

    def _insert(self, connection: Connection, mails: Sequence[NewMail], rows: Mapping[str, dict[str, Any]]) -> None:
        """Messages that are taken in, with their content where it is kept beside them; `rows` are theirs, by id."""
        ids = self._meet(connection, mails)
        new = [
            {**rows[message.id], "contact": ids[mail.workspace, contact_email(message)]}
            for mail in mails
            for message in mail.messages
        ]
        if new:
            _TAKE_IN.many(connection, new)
        packed = [(each, mail.packed) for mail in mails if mail.packed is not None for each in mail.messages]
        spool.keep(connection, packed)

    def _told(self, mails: Sequence[NewMail], steps: Sequence[Change]) -> list[PackedBatch]:
        """Their events, a batch for each workspace."""
        events: dict[int, list[MailEvent]] = {}
        for mail in mails:
            events.setdefault(mail.workspace, []).extend(mail.events)
        for step in steps:
            events.setdefault(step.before.workspace, []).extend(step.events)
        batches = []
        with self._database.read_often() as connection:
            for workspace, found in sorted(events.items()):
                days = _RETENTION.rows(connection, {"workspace": workspace})
                kept = days[0].retention_days if days else 0
                batches.append(EventBatch(f"inbound/{uuid4().hex}", workspace, kept, found))
        return [PackedBatch(batch, journal.pack(batch)) for batch in batches if batch.events]


def _counted(mails: Sequence[NewMail], steps: Sequence[Change]) -> Counter[TallyKey]:
    """What they change of the numbers of the lists."""
    counted: Counter[TallyKey] = Counter()
    for mail in mails:
        for one in mail.messages:
            tallies.count_message(counted, one, 1)
    for step in steps:
        if (step.before.status, step.before.score) != (step.after.status, step.after.score):
            tallies.count_message(counted, step.before, -1)
            tallies.count_message(counted, step.after, 1)
    return counted


def contact_email(message: Message) -> str:
    """Who a message is from, as contacts are known: the address in From, else that of the envelope."""
    return plain((message.from_address or message.sender)[:320].lower())


def _is_over(
    mail: NewMail, address: str, limit: int, wanted: Mapping[WeekKey, int], used: Mapping[WeekKey, int]
) -> bool:
    key = WeekKey(mail.workspace, address, mail.week)
    return used[key] + wanted[key] > limit


def _unchanged(connection: Connection, before: Sequence[Message]) -> set[str]:
    """The ids of those that still are what they were; nobody else changes them until the transaction ends."""
    expected = {message.id: message for message in before}
    found: set[str] = set()
    for some in in_chunks(sorted(expected), _AT_ONCE):
        for row in _STATES.rows(connection, some):
            message = expected[row.id]
            if row.status == message.status.value and row.holder == message.holder:
                found.add(row.id)
    return found


def _states(condition: ColumnElement[bool]) -> Select[tuple[str, str, str]]:
    wanted = select(messages.c.id, messages.c.status, messages.c.holder).where(condition)
    return wanted.order_by(messages.c.id).with_for_update()


def _used(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(messages.c.content).where(condition).distinct()


_STATES = PreparedChoice(_states, messages.c.id)
_USED = PreparedChoice(_used, messages.c.content)
_RETENTION = Prepared(select(workspaces.c.retention_days).where(workspaces.c.id == bindparam("workspace")))
_TAKE_IN = Prepared(insert(messages).values({column.name: bindparam(column.name) for column in COLUMNS}).inline())


def _changing(one: ColumnElement[bool], given: Callable[[str], ColumnElement[Any]]) -> Update:
    """What steps are given for messages, by `changed`, their id; `given` has the values by name."""
    values = {name: given(f"new_{name}") for name in _CHANGED}
    # A message that is in hand goes on to the next hop that its domain was given meanwhile.
    values["hop"] = case((messages.c.hop == given("old_hop"), given("new_hop")), else_=messages.c.hop)
    return update(messages).where(one).values(values)


_GIVEN = rows_given("changed", "old_hop", *(f"new_{name}" for name in _CHANGED))
_CHANGE = Prepared(
    _changing(messages.c.id == bindparam("changed"), bindparam),
    unchanged,
    _changing(messages.c.id == _GIVEN.c.changed, lambda name: _GIVEN.c[name]),
)


def _values(step: Change) -> dict[str, Any]:
    row = row_of(step.after, _CHANGED)
    return {"changed": step.before.id, "old_hop": step.before.hop, **{f"new_{name}": row[name] for name in _CHANGED}}
