"""Who has sent mail to a workspace, and what it decided about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)

from mailvane.core.errors import NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.ledger.columns import Texts, contains, in_chunks, plain
from mailvane.core.ledger.database import Database, Prepared, PreparedChoice, rows_given
from mailvane.inbound.model import AuditEntry, Contact, ContactState
from mailvane.inbound.questions import ContactPage, ContactQuestion
from mailvane.inbound.store import audit, tallies
from mailvane.inbound.store.tables import contacts
from mailvane.inbound.store.tallies import TallyKey

_AT_ONCE = 500
_FOUND = 2000  # contacts that have a part of a text are looked up and sorted; of more, an order's index is read
_LONGEST_NAME = 255  # characters: with an address, what a row of an index of PostgreSQL has room for
_NAMELESS: ColumnElement[str] = literal_column("''")


class Seen(NamedTuple):
    """Mail of one sender that came in one go."""

    mails: int
    at: int  # of the newest
    name: str


class ContactStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = Texts(database)

    def contact(self, workspace: int, contact_id: str) -> Contact | None:
        """By id, or by address."""
        known_by = contacts.c.email if "@" in contact_id else contacts.c.id
        wanted = select(contacts).where(contacts.c.workspace == workspace, known_by == plain(contact_id))
        with self._database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _contact(row)

    def by_id(self, workspace: int, ids: Sequence[str]) -> dict[str, Contact]:
        """Those of these ids, by id."""
        found: dict[str, Contact] = {}
        with self._database.read() as connection:
            for some in in_chunks(ids, _AT_ONCE):
                # Looked up by their ids alone: asked for the workspace, too, SQLite goes through all that it has.
                rows = connection.execute(select(contacts).where(contacts.c.id.in_([plain(each) for each in some])))
                found |= {row.id: _contact(row) for row in rows if row.workspace == workspace}
        return found

    def known(self, workspace: int) -> dict[str, Contact]:
        """Every one that is kept, by address: of a workspace without the gateway, those that were decided about."""
        with self._database.read() as connection:
            rows = connection.execute(select(contacts).where(contacts.c.workspace == workspace))
            return {row.email: _contact(row) for row in rows}

    def by_email(self, workspace: int, emails: Sequence[str]) -> dict[str, Contact]:
        """Those of these addresses, by address."""
        with self._database.read() as connection:
            return by_email(connection, workspace, emails)

    def states(self, workspace: int, emails: Sequence[str]) -> dict[str, ContactState]:
        """Of those that are known, by address."""
        found: dict[str, ContactState] = {}
        with self._database.read() as connection:
            for some in in_chunks(emails, _AT_ONCE):
                own = contacts.c.workspace == workspace, contacts.c.email.in_([plain(each) for each in some])
                rows = connection.execute(select(contacts.c.email, contacts.c.state).where(*own))
                found |= {row.email: ContactState(row.state) for row in rows}
        return found

    def counts(self, workspace: int) -> dict[ContactState, int]:
        """How many are in each state."""
        names = {tallies.of_contacts(state): state for state in ContactState}
        with self._database.read() as connection:
            found = tallies.by_what(connection, workspace, names)
        return {state: found.get(name, 0) for name, state in names.items()}

    def page(self, question: ContactQuestion, offset: int = 0, limit: int = 25) -> ContactPage:
        """A part of them, and how many there are in all."""
        with self._database.read() as connection:
            total, conditions = self._chosen(connection, question)
            if offset >= total or limit <= 0:
                return ContactPage(total, [])
            # What lies behind the middle is nearer to the end.
            backwards = offset > total // 2
            count = min(limit, total - offset)
            skip = total - offset - count if backwards else offset
            order = self._order(question, descending=question.ascending == backwards)
            # An index has all that is needed to skip; whole rows are read of those only that are told.
            ids = select(contacts.c.id).where(*conditions).order_by(*order).offset(skip).limit(count)
            chosen = connection.execute(ids).scalars().all()
            rows = connection.execute(select(contacts).where(contacts.c.id.in_(chosen)))
            known = {row.id: _contact(row) for row in rows}
        found = [known[each] for each in chosen if each in known]
        return ContactPage(total, found[::-1] if backwards else found)

    def _chosen(self, connection: Connection, question: ContactQuestion) -> tuple[int, Sequence[ColumnElement[bool]]]:
        """How many there are, and which. Who has a text is read from one index; few of them are looked up then, and
        where all have it, it decides nothing."""
        own = [contacts.c.workspace == question.workspace]
        if question.state is not None:
            own.append(contacts.c.state == question.state.value)
        total = tallies.total(connection, question.workspace, [tallies.of_contacts(question.state)])
        if not question.text:
            return total, own
        having = [*own, or_(contains(contacts.c.email, question.text), contains(contacts.c.name, question.text))]
        ids = connection.execute(select(contacts.c.id).where(*having).limit(_FOUND + 1)).scalars().all()
        if len(ids) <= _FOUND:
            return len(ids), [self._texts.is_one_of(contacts.c.id, ids)]
        found = connection.execute(select(func.count()).select_from(contacts).where(*having)).scalar_one()
        return found, own if found == total else having

    def change(
        self, workspace: int, contact_id: str, change: Callable[[Contact], Contact], entry: AuditEntry | None = None
    ) -> Contact:
        """Store what the function makes of it: name, state or category. By id or address. Raises NotFound."""
        known_by = contacts.c.email if "@" in contact_id else contacts.c.id
        one = contacts.c.workspace == workspace, known_by == plain(contact_id)
        with self._database.write() as connection:
            row = connection.execute(select(contacts).where(*one).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no contact {contact_id}")
            before = _contact(row)
            after = change(before)
            after = msgspec.structs.replace(after, name=_kept_name(after.name))
            values = {"name": after.name, "state": after.state.value, "category": plain(after.category)}
            connection.execute(update(contacts).where(contacts.c.id == before.id).values(values))
            moved = Counter({TallyKey(workspace, tallies.of_contacts(after.state)): 1})
            moved[TallyKey(workspace, tallies.of_contacts(before.state))] -= 1
            tallies.add(connection, self._database, moved)
            if entry is not None:
                audit.write(connection, workspace, [entry])
        return msgspec.structs.replace(before, name=after.name, state=after.state, category=after.category)

    def meet(self, workspace: int, seen: Mapping[str, Seen]) -> dict[str, str]:
        """Note mail of senders by address, whether they are known or not; their ids, by address."""
        with self._database.write() as connection:
            return meet(connection, self._database, workspace, seen)

    def _order(self, question: ContactQuestion, *, descending: bool) -> list[ColumnElement[Any]]:
        column = contacts.c[question.order]
        order = (
            self._texts.ordered(column, descending)
            if question.order in ("email", "name")
            else (column.desc() if descending else column.asc())
        )
        if question.order == "email":  # no two have the same
            return [order]
        return [order, contacts.c.id.desc() if descending else contacts.c.id.asc()]


def by_email(connection: Connection, workspace: int, emails: Sequence[str]) -> dict[str, Contact]:
    """Within a transaction: those of these addresses, by address."""
    found: dict[str, Contact] = {}
    for some in in_chunks(emails, _AT_ONCE):
        rows = _BY_EMAIL.rows(connection, [plain(each) for each in some], {"w": workspace})
        found |= {row.email: _contact(row) for row in rows}
    return {email: found[plain(email)] for email in emails if plain(email) in found}


def meet(connection: Connection, database: Database, workspace: int, seen: Mapping[str, Seen]) -> dict[str, str]:
    """Within a transaction: note mail of senders by address; their ids, by address."""
    emails = sorted({plain(email) for email in seen})
    given = {plain(email): one for email, one in seen.items()}
    ids = _ids(connection, workspace, emails)
    made: set[str] = set()
    if unknown := [email for email in emails if email not in ids]:
        fresh = [_fresh(workspace, email, given[email]) for email in unknown]
        statement = database.insert(contacts).on_conflict_do_nothing(index_elements=["workspace", "email"])
        made = set(connection.execute(statement.returning(contacts.c.email), fresh).scalars())
        ids |= _ids(connection, workspace, unknown)  # somebody else may have met them at this moment
    if made:
        new = Counter({TallyKey(workspace, tallies.of_contacts(None)): len(made)})
        new[TallyKey(workspace, tallies.of_contacts(ContactState.UNSET))] = len(made)
        tallies.add(connection, database, new)
    known = [
        {"w": workspace, "e": email, "n": one.mails, "at": one.at, "called": _kept_name(one.name)}
        for email, one in sorted(given.items())
        if email not in made
    ]
    if known:
        _MORE.many(connection, known)
    if called := [row for row in known if row["called"]]:
        _NAME.many(connection, called)
    return ids


def _ids(connection: Connection, workspace: int, emails: Sequence[str]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for some in in_chunks(emails, _AT_ONCE):
        ids |= {row.email: row.id for row in _IDS.rows(connection, some, {"w": workspace})}
    return ids


def _ids_where(condition: ColumnElement[bool]) -> Select[tuple[str, str]]:
    return select(contacts.c.email, contacts.c.id).where(contacts.c.workspace == bindparam("w"), condition)


def _all_where(condition: ColumnElement[bool]) -> Select[tuple[Any, ...]]:
    return select(contacts).where(contacts.c.workspace == bindparam("w"), condition)


_IDS = PreparedChoice(_ids_where, contacts.c.email)
_BY_EMAIL = PreparedChoice(_all_where, contacts.c.email)


def _more(one: ColumnElement[bool], given: Callable[[str], ColumnElement[Any]]) -> Update:
    """More mail of senders who are known; `given` has the values by name."""
    at = given("at")
    return (
        update(contacts)
        .where(one)
        .values(
            email_count=contacts.c.email_count + given("n"),
            last_seen_at=case((contacts.c.last_seen_at < at, at), else_=contacts.c.last_seen_at),
        )
    )


def _named(one: ColumnElement[bool], given: Callable[[str], ColumnElement[Any]]) -> Update:
    """The first name of those who had none. By itself, as nearly none is changed, and indexes have names."""
    return update(contacts).where(one, contacts.c.name == _NAMELESS).values(name=given("called"))


def _for_senders(change: Callable[[ColumnElement[bool], Callable[[str], ColumnElement[Any]]], Update]) -> Prepared:
    given = rows_given("w", "e", "n", "at", "called")
    return Prepared(
        change((contacts.c.workspace == bindparam("w")) & (contacts.c.email == bindparam("e")), bindparam),
        None,
        change((contacts.c.workspace == given.c.w) & (contacts.c.email == given.c.e), lambda name: given.c[name]),
    )


_MORE = _for_senders(_more)
_NAME = _for_senders(_named)


def _fresh(workspace: int, email: str, seen: Seen) -> dict[str, object]:
    return {
        "id": ordered_uuid(seen.at),
        "workspace": workspace,
        "email": email,
        "name": _kept_name(seen.name),
        "state": ContactState.UNSET.value,
        "category": "",
        "email_count": seen.mails,
        "first_seen_at": seen.at,
        "last_seen_at": seen.at,
    }


def _kept_name(name: str) -> str:
    return plain(name)[:_LONGEST_NAME]


def _contact(row: Row[Any]) -> Contact:
    values = row._asdict()
    return Contact(**{**values, "state": ContactState(values["state"])})
