"""When how much of a limit was used up: a row each time that a counter passes a twentieth of it, from a half on.

Written in the transaction of the decision that passed it, so neither the moment nor the order is a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import or_, select

from mailvane.core.ledger.database import Database
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.model import Domain, LimitKind, LimitMark, LimitWindow, OutboundStatus, Usage, hourly_cap
from mailvane.outbound.store.tables import domains, limit_marks

STEP = 5  # percent
LEAST = 50  # percent


def step_of(sent: int, most: int) -> int:
    """How much of a limit is used up in percent, in whole steps; 0 below the least. Of a limit of nothing, 0."""
    share = min(100, 100 * sent // most) if most > 0 else 0
    return share // STEP * STEP if share >= LEAST else 0


def is_passed(before: int, after: int, most: int) -> bool:
    """Whether a counter has come to another step."""
    return step_of(after, most) > step_of(before, most)


def end_of(window: LimitWindow, now: int, last_day: int) -> int:
    """When a window ends that holds this moment; `last_day` of it, in days since the epoch."""
    return (now // HOUR_MS + 1) * HOUR_MS if window is LimitWindow.HOUR else (last_day + 1) * DAY_MS


def of_domain(domain: Domain, before: Usage, after: Usage, now: int, last_day: int) -> Iterator[LimitMark]:
    """The steps that one mail let a governed domain pass; `last_day` of the month."""
    counts = (
        (LimitWindow.HOUR, hourly_cap(domain.daily_limit, domain.hourly_fraction), "hour", "sent_this_hour"),
        (LimitWindow.DAY, domain.daily_limit, "day", "sent_today"),
        (LimitWindow.MONTH, domain.monthly_limit, "month", "sent_month"),
    )
    for window, most, key, field in counts:
        if not most:
            continue
        sent = getattr(after, field)
        known = getattr(before, field) if getattr(before, key) == getattr(after, key) else 0
        if is_passed(known, sent, most):
            until = end_of(window, now, last_day if window is LimitWindow.MONTH else now // DAY_MS)
            yield LimitMark(
                at=now, workspace=domain.workspace, kind=LimitKind.DOMAIN, name=domain.name, window=window,
                sent=sent, most=most, until=until,
            )  # fmt: skip


def rows_of(marks: Iterable[LimitMark]) -> list[dict[str, object]]:
    """Of the table, without ids."""
    return [
        {
            "at": mark.at, "workspace": mark.workspace, "kind": mark.kind.value, "name": mark.name,
            "window": mark.window.value, "sent": mark.sent, "most": mark.most, "until": mark.until,
        }
        for mark in marks
    ]  # fmt: skip


class Stopped(msgspec.Struct, frozen=True):
    """A governed domain that may not send."""

    workspace: int
    domain: str
    closed: bool  # the whole domain, not only its sending


class LimitMarks:
    """What holds senders back. For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, moment: int, before: int) -> list[LimitMark]:
        """Those from a moment on and before another one, oldest first."""
        wanted = select(limit_marks).where(limit_marks.c.at >= moment, limit_marks.c.at < before)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(limit_marks.c.at, limit_marks.c.id)).all()
        return [
            LimitMark(
                at=row.at, workspace=row.workspace, kind=LimitKind(row.kind), name=row.name,
                window=LimitWindow(row.window), sent=row.sent, most=row.most, until=row.until,
            )
            for row in rows
        ]  # fmt: skip

    def stopped(self) -> list[Stopped]:
        """Every domain that is suspended, by workspace and name; claims and removed ones left out."""
        columns = (domains.c.workspace, domains.c.name, domains.c.closed)
        wanted = select(*columns).where(
            domains.c.approved,
            domains.c.removed_at.is_(None),
            or_(domains.c.closed, domains.c.status == OutboundStatus.SUSPENDED.value),
        )
        with self._database.read() as connection:
            return [Stopped(*row) for row in connection.execute(wanted.order_by(domains.c.workspace, domains.c.name))]
