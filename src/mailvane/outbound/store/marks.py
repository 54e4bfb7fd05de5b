"""When how much of a limit was used up: a row each time that a counter passes a twentieth of it, from a half on.

Written in the transaction of the decision that passed it, so neither the moment nor the order is a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

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
    if after * 100 < most * LEAST:  # nearly every mail
        return False
    return step_of(after, most) > step_of(before, most)


@lru_cache(maxsize=8)
def month_of_day(day: int) -> tuple[int, int]:
    """The number of the month that a day lies in, and the last day of that; days since the epoch."""
    date = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
    following = date.replace(year=date.year + date.month // 12, month=date.month % 12 + 1, day=1)
    return 12 * date.year + date.month - 1, int(following.timestamp() * 1000) // DAY_MS - 1


def end_of(window: LimitWindow, now: int, last_day: int) -> int:
    """When a window ends that holds this moment; `last_day` of it, in days since the epoch."""
    return (now // HOUR_MS + 1) * HOUR_MS if window is LimitWindow.HOUR else (last_day + 1) * DAY_MS


def of_domain(domain: Domain, before: Usage, after: Usage, now: int) -> list[LimitMark]:
    """The steps that one mail let a governed domain pass."""
    marks = []
    if domain.hourly_fraction:
        most = hourly_cap(domain.daily_limit, domain.hourly_fraction)
        known = before.sent_this_hour if before.hour == after.hour else 0
        if is_passed(known, after.sent_this_hour, most):
            marks.append(_mark(domain, now, LimitWindow.HOUR, after.sent_this_hour, most))
    known = before.sent_today if before.day == after.day else 0
    if is_passed(known, after.sent_today, domain.daily_limit):
        marks.append(_mark(domain, now, LimitWindow.DAY, after.sent_today, domain.daily_limit))
    known = before.sent_month if before.month == after.month else 0
    if is_passed(known, after.sent_month, domain.monthly_limit):
        marks.append(_mark(domain, now, LimitWindow.MONTH, after.sent_month, domain.monthly_limit))
    return marks


def _mark(domain: Domain, now: int, window: LimitWindow, sent: int, most: int) -> LimitMark:
    day = now // DAY_MS
    until = end_of(window, now, month_of_day(day)[1] if window is LimitWindow.MONTH else day)
    return LimitMark(
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
