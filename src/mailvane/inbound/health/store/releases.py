"""Messages that were released from a quarantine by rule, in the ledger: the budget, the audit and the list to undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from mailvane.core.errors import NotFound
from mailvane.core.identifiers import new_id
from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.inbound.health.model import HeldMessage, Release, ReleaseState
from mailvane.inbound.health.store.tables import health_releases

_AGAIN = (ReleaseState.ASKED, ReleaseState.FAILED)  # accepting is idempotent: what has no good end is asked once more


class ReleaseStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, team: str, held: Sequence[HeldMessage], now: int, since: int, budget: int) -> list[Release]:
        """Note those that are about to be asked for, as many as the budget since a time leaves, in their order.

        No others are returned, and none that was released or undone before.
        """
        with self._database.write() as connection:
            self._alone(connection, team)
            known = _known(connection, team, [one.id for one in held])
            fresh = [one for one in held if one.id not in known or known[one.id].state in _AGAIN]
            left = max(0, budget - _spent(connection, team, since, [one.id for one in fresh]))
            releases = [_release(team, one, known.get(one.id), now) for one in fresh[:left]]
            for release in releases:
                connection.execute(self._database.upsert(health_releases), _row(release))
        return releases

    def settle(self, release: Release) -> None:
        """Keep how it ended."""
        one = health_releases.c.id == release.id
        with self._database.write() as connection:
            connection.execute(update(health_releases).where(one).values(_row(release)))

    def releases(self, team: str | None = None, limit: int = 100) -> list[Release]:
        """The newest first; of every team when none is named."""
        wanted = select(health_releases.c.document)
        if team is not None:
            wanted = wanted.where(health_releases.c.team == plain(team))
        order = (health_releases.c.at.desc(), health_releases.c.id)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(*order).limit(limit))
            return [value_of(document, Release) for document in rows.scalars()]

    def release(self, release_id: str) -> Release:
        """Raises NotFound."""
        wanted = select(health_releases.c.document).where(health_releases.c.id == plain(release_id))
        with self._database.read() as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        if found is None:
            raise NotFound(f"there is no release {release_id}")
        return value_of(found, Release)

    def held_back(self, team: str) -> frozenset[str]:
        """Senders of which a release was undone: no rule releases their mail again."""
        table = health_releases.c
        wanted = select(table.sender).where(table.team == plain(team), table.state == ReleaseState.UNDONE).distinct()
        with self._database.read() as connection:
            return frozenset(connection.execute(wanted).scalars())

    def _alone(self, connection: Connection, team: str) -> None:
        """SQLite has one writer at a time; PostgreSQL is told that nobody else counts this team's budget meanwhile."""
        if not self._database.is_sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"health release {plain(team)}"))))


def _known(connection: Connection, team: str, messages: Sequence[str]) -> dict[str, Release]:
    table = health_releases.c
    wanted = select(table.document).where(
        table.team == plain(team), table.message.in_([plain(one) for one in messages])
    )
    found = (value_of(document, Release) for document in connection.execute(wanted).scalars())
    return {one.message: one for one in found}


def _spent(connection: Connection, team: str, since: int, but: Sequence[str]) -> int:
    """How many were released lately, without those that are asked for now."""
    table: Any = health_releases.c
    spent = select(func.count()).where(
        table.team == plain(team),
        table.at > since,
        table.state != ReleaseState.FAILED,
        table.message.not_in([plain(one) for one in but]),
    )
    return connection.execute(spent).scalar_one()


def _release(team: str, held: HeldMessage, known: Release | None, now: int) -> Release:
    return Release(
        id=new_id() if known is None else known.id,
        team=team,
        message=held.id,
        sender=held.sender,
        subject=held.subject,
        state=ReleaseState.ASKED,
        at=now,
    )


def _row(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "team": plain(release.team),
        "message": plain(release.message),
        "sender": plain(release.sender),
        "state": release.state.value,
        "at": release.at,
        "document": text_of(release),
    }
