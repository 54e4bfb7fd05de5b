"""Secrets of tracking links, and what recipients did until the mail log has it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, delete, literal, select, update

from mailvane.core.ledger.columns import in_chunks, text_of, value_of
from mailvane.core.ledger.database import Database, Prepared
from mailvane.mailboxes.store.tables import reactions, tracking_secrets
from mailvane.mailboxes.tracking.links import SECRET_BYTES
from mailvane.mailboxes.tracking.model import Reaction, ReactionKind, Waiting

_OWN = reactions.c
_AT_ONCE = 500
# Written into the statement: SQLite uses the index of clicks only where it sees that clicks are asked for.
_CLICKED = literal(ReactionKind.CLICKED.value, literal_execute=True)


class TrackingStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = Prepared(database.insert(reactions).on_conflict_do_nothing())
        later = {"due_at": bindparam("due"), "tries": _OWN.tries + 1, "document": bindparam("told")}
        self._put_off = Prepared(update(reactions).where(_OWN.digest == bindparam("own")).values(later))

    def secret(self, workspace: int, now: int) -> bytes:
        """Of a workspace, made when it is asked for the first time."""
        wanted = select(tracking_secrets.c.secret).where(tracking_secrets.c.workspace == workspace)
        with self._database.read() as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        if found is not None:
            return bytes(found)
        row = {"workspace": workspace, "secret": secrets.token_bytes(SECRET_BYTES), "created_at": now}
        with self._database.write() as connection:
            connection.execute(self._database.insert(tracking_secrets).on_conflict_do_nothing(), row)
            return bytes(connection.execute(wanted).scalar_one())

    def secrets(self) -> Mapping[int, bytes]:
        """Of every workspace that ever made a link."""
        with self._database.read() as connection:
            rows = connection.execute(select(tracking_secrets.c.workspace, tracking_secrets.c.secret))
            return {row.workspace: bytes(row.secret) for row in rows}

    def add(self, new: Sequence[tuple[Reaction, int]]) -> None:
        """Keep these, each with the time at which it is due, durably; what is there already stays as it is."""
        rows = [_row(reaction, due_at) for reaction, due_at in new]
        if not rows:
            return
        with self._database.write() as connection:
            self._add.many(connection, rows)

    def due(self, now: int, limit: int, judged: bool = False) -> list[Waiting]:
        """Those that are due, the first first; either those whose text is to be judged, or all others."""
        kind = _OWN.kind == ReactionKind.TAGGED if judged else _OWN.kind != ReactionKind.TAGGED
        wanted = select(_OWN.document, _OWN.tries).where(_OWN.due_at <= now, kind).order_by(_OWN.due_at).limit(limit)
        with self._database.read() as connection:
            return [_waiting(*row) for row in connection.execute(wanted)]

    def hasten(self, now: int) -> None:
        """Replies that are to be looked at again at a later time are due now; that is none of their tries."""
        postponed = (_OWN.kind == ReactionKind.REPLIED) & (_OWN.due_at > now) & (_OWN.tries > 0)
        with self._database.write() as connection:
            connection.execute(update(reactions).where(postponed).values(due_at=now, tries=_OWN.tries - 1))

    def clicks_of(self, mails: Sequence[bytes]) -> list[Waiting]:
        """All that are kept of these mails, due or not."""
        found: list[Waiting] = []
        with self._database.read() as connection:
            for part in in_chunks(mails, _AT_ONCE):
                own = _OWN.mail.in_(part) & (_OWN.kind == _CLICKED)
                found += [_waiting(*row) for row in connection.execute(select(_OWN.document, _OWN.tries).where(own))]
        return found

    def settle(self, digests: Sequence[bytes]) -> None:
        """Forget what the journal has, or what is given up."""
        with self._database.write() as connection:
            for part in in_chunks(digests, _AT_ONCE):
                connection.execute(delete(reactions).where(_OWN.digest.in_(part)))

    def put_off(self, later: Sequence[tuple[Reaction, int]]) -> None:
        """Look for the mails of these again at these times."""
        if not later:
            return
        rows = [{"own": reaction.digest, "due": due_at, "told": text_of(reaction)} for reaction, due_at in later]
        with self._database.write() as connection:
            self._put_off.many(connection, rows)


def _row(reaction: Reaction, due_at: int) -> dict[str, object]:
    return {
        "digest": reaction.digest,
        "workspace": reaction.workspace,
        "kind": str(reaction.kind),
        "mail": reaction.mail_digest,
        "due_at": due_at,
        "tries": 0,
        "document": msgspec.json.encode(reaction).decode(),
    }


def _waiting(document: str, tries: int) -> Waiting:
    return Waiting(value_of(document, Reaction), tries)
