"""Mailboxes in the ledger: kept, changed under a lock, and found page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, false, func, insert, or_, select, update

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.columns import Texts, in_chunks, plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.mailboxes.model import (
    Mailbox,
    MailboxPage,
    MailboxQuestion,
    MailboxRule,
    TagMode,
    WarmupStatus,
    falls_under,
)
from mailvane.mailboxes.store.tables import mailbox_rules, mailbox_tags, mailboxes

_AT_ONCE = 500
_OWN = mailboxes.c


class MailboxStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = Texts(database)

    def rule(self, workspace: int) -> MailboxRule:
        wanted = select(mailbox_rules.c.document).where(mailbox_rules.c.workspace == workspace)
        with self._database.read() as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        return MailboxRule() if found is None else value_of(found, MailboxRule)

    def save_rule(self, workspace: int, rule: MailboxRule) -> None:
        """Mailboxes that appeared by a former rule go, unless somebody changed them or the new one has them, too."""
        noticed = select(_OWN.address).where(_OWN.workspace == workspace, _OWN.noticed)
        row = {"workspace": workspace, "document": text_of(rule)}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(mailbox_rules), row)
            gone = [each for each in connection.execute(noticed).scalars() if not falls_under(rule, each)]
            for part in in_chunks(gone, _AT_ONCE):
                own = (_OWN.workspace == workspace) & _OWN.address.in_(part)
                connection.execute(delete(mailboxes).where(own))

    def add(self, mailbox: Mailbox) -> None:
        """Raises AlreadyExists."""
        with self._database.write() as connection:
            new = self._database.insert(mailboxes).values(_row(mailbox)).on_conflict_do_nothing()
            if connection.execute(new.returning(_OWN.id)).scalar_one_or_none() is None:
                raise AlreadyExists(f"there is a mailbox {mailbox.address} already")
            _save_tags(connection, mailbox)

    def notice(self, new: Sequence[Mailbox]) -> None:
        """Keep those that are not known yet; none of them has tags."""
        with self._database.write() as connection:
            for chunk in in_chunks(new, _AT_ONCE):
                statement = self._database.insert(mailboxes).on_conflict_do_nothing()
                connection.execute(statement, [_row(mailbox) for mailbox in chunk])

    def change(self, workspace: int, mailbox_id: str, change: Callable[[Mailbox], Mailbox]) -> Mailbox:
        """Read, change and write under a lock. Raises NotFound."""
        with self._database.write() as connection:
            text = connection.execute(_one(workspace, mailbox_id).with_for_update()).scalar_one_or_none()
            if text is None:
                raise _missing(mailbox_id)
            before = value_of(text, Mailbox)
            changed = change(before)
            own = (_OWN.workspace == workspace) & (_OWN.id == changed.id)
            connection.execute(update(mailboxes).where(own).values(_row(changed)))
            if changed.tags != before.tags:
                _save_tags(connection, changed)
        return changed

    def mailbox(self, workspace: int, mailbox_id: str) -> Mailbox | None:
        with self._database.read() as connection:
            text = connection.execute(_one(workspace, mailbox_id)).scalar_one_or_none()
        return None if text is None else value_of(text, Mailbox)

    def all(self, workspace: int) -> list[Mailbox]:
        """By address."""
        wanted = select(_OWN.document).where(_OWN.workspace == workspace).order_by(self._texts.ordered(_OWN.address))
        with self._database.read() as connection:
            return _decoded(connection.execute(wanted).scalars().all())

    def warming(self, now: int) -> list[Mailbox]:
        """Those of every workspace whose warm-up runs, by workspace and id."""
        running = (_OWN.warmup_started_at > 0) & (_OWN.warmup_paused_at == 0) & (_OWN.warmup_ends_at > now)
        wanted = select(_OWN.document).where(running).order_by(_OWN.workspace, _OWN.id)
        with self._database.read() as connection:
            return _decoded(connection.execute(wanted).scalars().all())

    def created(self, workspace: int) -> tuple[str, ...]:
        """The addresses of those that did not appear by themselves."""
        wanted = select(_OWN.address).where(_OWN.workspace == workspace, ~_OWN.noticed)
        with self._database.read() as connection:
            return tuple(connection.execute(wanted).scalars())

    def addresses(self, workspace: int) -> set[str]:
        """Of all of them: ten thousand are one text sooner than as many rows."""
        wanted = select(self._texts.listed(_OWN.address)).where(_OWN.workspace == workspace)
        with self._database.read() as connection:
            return set(value_of(connection.execute(wanted).scalar_one(), list[str]))

    def count(self, workspace: int, noticed: bool) -> int:
        """How many there are, of those that appeared by themselves or of the others."""
        wanted = select(func.count()).where(_OWN.workspace == workspace, _OWN.noticed == noticed)
        with self._database.read() as connection:
            return connection.execute(wanted).scalar_one()

    def page(self, question: MailboxQuestion) -> MailboxPage:
        """A part of them by address, and how many there are in all."""
        wanted = list(self._wanted(question))
        page = select(_OWN.document).where(*wanted).order_by(self._texts.ordered(_OWN.address))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).where(*wanted)).scalar_one()
            if question.after is not None:
                last = connection.execute(
                    select(_OWN.address).where(_OWN.workspace == question.workspace, _OWN.id == plain(question.after))
                ).scalar_one_or_none()
                if last is None:
                    raise _missing(question.after)
                page = page.where(self._texts.bytewise(_OWN.address) > last)
            rows = connection.execute(page.offset(question.skip).limit(question.limit + 1)).scalars().all()
        found = _decoded(rows[: question.limit])
        return MailboxPage(found, total, more=len(rows) > question.limit)

    def _wanted(self, question: MailboxQuestion) -> Iterator[ColumnElement[bool]]:
        yield _OWN.workspace == question.workspace
        if question.statuses is not None:
            yield _OWN.status.in_(question.statuses)
        if question.provider is not None:
            yield _OWN.provider == question.provider
        if question.sending_enabled is not None:
            yield _OWN.sending_enabled == question.sending_enabled
        if question.search:
            part = question.search.lower()
            shown = func.lower(_OWN.address + " " + _OWN.display_name)
            yield self._texts.holds(shown, part)
        if question.least_score is not None:
            yield _OWN.dns_score >= question.least_score
        if question.most_score is not None:
            yield _OWN.dns_score <= question.most_score
        if question.addresses is not None:
            yield self._texts.is_one_of(_OWN.address, question.addresses)
        if question.but:
            yield ~self._texts.is_one_of(_OWN.address, question.but)
        yield from _of_warmup(question)
        yield from _of_tags(question)


def _of_warmup(question: MailboxQuestion) -> Iterator[ColumnElement[bool]]:
    started, paused, ends = _OWN.warmup_started_at, _OWN.warmup_paused_at, _OWN.warmup_ends_at
    if question.warming is not None:
        yield (started > 0) if question.warming else (started == 0)
    conditions: dict[WarmupStatus, ColumnElement[bool]] = {
        WarmupStatus.NOT_STARTED: started == 0,
        WarmupStatus.PAUSED: and_(started > 0, paused > 0),
        WarmupStatus.IN_PROGRESS: and_(started > 0, paused == 0, ends > question.now),
        WarmupStatus.COMPLETED: and_(started > 0, paused == 0, ends <= question.now),
    }
    if question.warmup_statuses is not None:
        yield or_(false(), *(conditions[status] for status in question.warmup_statuses))


def _of_tags(question: MailboxQuestion) -> Iterator[ColumnElement[bool]]:
    tags = mailbox_tags.c
    own = and_(tags.workspace == _OWN.workspace, tags.mailbox == _OWN.id)
    if question.untagged is not None:
        yield ~exists().where(own) if question.untagged else exists().where(own)
    if question.tags:
        has = [exists().where(own, tags.tag == plain(tag)) for tag in question.tags]
        yield and_(*has) if question.tag_mode is TagMode.ALL else or_(*has)


def _one(workspace: int, mailbox_id: str) -> Any:
    return select(_OWN.document).where(_OWN.workspace == workspace, _OWN.id == plain(mailbox_id))


def _missing(mailbox_id: str) -> NotFound:
    return NotFound(f"there is no mailbox {mailbox_id[:80]}")


def _save_tags(connection: Connection, mailbox: Mailbox) -> None:
    own = (mailbox_tags.c.workspace == mailbox.workspace) & (mailbox_tags.c.mailbox == mailbox.id)
    connection.execute(delete(mailbox_tags).where(own))
    if mailbox.tags:
        rows = [{"workspace": mailbox.workspace, "mailbox": mailbox.id, "tag": plain(tag)} for tag in mailbox.tags]
        connection.execute(insert(mailbox_tags), rows)


def _row(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "workspace": mailbox.workspace,
        "id": mailbox.id,
        "address": plain(mailbox.address),
        "display_name": plain(mailbox.display_name),
        "status": mailbox.status,
        "provider": mailbox.provider,
        "daily_limit": mailbox.daily_limit,
        "sending_enabled": mailbox.sending_enabled,
        "warmup_started_at": mailbox.warmup.started_at,
        "warmup_paused_at": mailbox.warmup.paused_at,
        "warmup_ends_at": mailbox.warmup.ends_at,
        "dns_score": mailbox.dns.score if mailbox.dns.at else None,
        "noticed": mailbox.noticed,
        "document": text_of(mailbox),
    }


_documents = msgspec.json.Decoder(list[Mailbox])


def _decoded(texts: Sequence[str]) -> list[Mailbox]:
    return _documents.decode("[" + ",".join(texts) + "]")
