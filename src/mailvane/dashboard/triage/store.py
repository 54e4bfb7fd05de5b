"""Decisions about held mail that wait, in the ledger: a server that ends meanwhile forgets none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.dashboard.triage.tables import held_decisions


class Act(StrEnum):
    """What becomes of a held mail."""

    ACCEPT = "accept"
    REJECT = "reject"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Of one mail. Times are milliseconds since the epoch, UTC."""

    workspace: int
    message: str
    act: Act
    remember: bool  # decide so about the sender from now on
    actor: str
    due_at: int  # when it is carried out; of one that was taken, when it is tried again
    taken: bool = False  # it is being carried out, or has failed: too late to take it back
    failure: str = ""  # why it could not be carried out


class DecisionStore:
    """For any number of threads and processes on one ledger. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, decisions: Sequence[Decision]) -> None:
        """One that waits for the same mail is replaced. Raises NotFound when the workspace is gone."""
        waits = held_decisions.c.taken.is_(False) | (held_decisions.c.failure != "")
        try:
            with self._database.write() as connection:
                for each in decisions:
                    connection.execute(self._database.upsert(held_decisions, waits).values(_row(each)))
        except IntegrityError as error:
            raise NotFound("the workspace is gone") from error

    def waiting(self, workspace: int) -> list[Decision]:
        """All of a workspace, those that have failed among them; the first first."""
        wanted = select(held_decisions).where(held_decisions.c.workspace == workspace)
        order = held_decisions.c.due_at, held_decisions.c.message
        with self._database.read() as connection:
            return [_decision(row) for row in connection.execute(wanted.order_by(*order)).mappings()]

    def take_back(self, workspace: int, messages: Sequence[str]) -> int:
        """How many of them waited still."""
        table = held_decisions.c
        own = table.workspace == workspace, table.message.in_([plain(each) for each in messages])
        with self._database.write() as connection:
            return connection.execute(delete(held_decisions).where(*own, table.taken.is_(False))).rowcount

    def take(self, now: int, again_at: int, limit: int) -> list[Decision]:
        """Those that are due, for this process alone until `again_at`."""
        table = held_decisions.c
        due = select(table.workspace, table.message).where(table.due_at <= now, table.failure == "")
        first = due.order_by(table.due_at).limit(limit).with_for_update(skip_locked=True)
        found = []
        with self._database.write() as connection:
            for row in connection.execute(first).all():
                one = table.workspace == row.workspace, table.message == row.message
                changed = update(held_decisions).where(*one).values(taken=True, due_at=again_at)
                found.append(_decision(connection.execute(changed.returning(*table)).mappings().one()))
        return found

    def settle(self, workspace: int, failures: Mapping[str, str], forget_at: int) -> None:
        """What has become of those that were taken, by mail; "": it was carried out."""
        table = held_decisions.c
        with self._database.write() as connection:
            for message, failure in failures.items():
                one = table.workspace == workspace, table.message == plain(message)
                if failure:
                    changed = {"failure": plain(failure), "due_at": forget_at}
                    connection.execute(update(held_decisions).where(*one).values(changed))
                else:
                    connection.execute(delete(held_decisions).where(*one))

    def forget(self, now: int) -> None:
        """Failures that were shown for long enough."""
        table = held_decisions.c
        with self._database.write() as connection:
            connection.execute(delete(held_decisions).where(table.failure != "", table.due_at <= now))


def _row(decision: Decision) -> dict[str, Any]:
    fields = msgspec.structs.asdict(decision)
    return {**fields, "act": decision.act.value, "message": plain(decision.message), "actor": plain(decision.actor)}


def _decision(row: Any) -> Decision:
    return Decision(**{**row, "act": Act(row["act"])})
