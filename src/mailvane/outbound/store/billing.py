"""Feedback, resets and billing in the ledger."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import NotFound
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import workspaces
from mailvane.core.moments import DAY_MS
from mailvane.outbound.model import (
    DEFAULT_WORKSPACE,
    AuditEntry,
    BillingPeriod,
    Domain,
    FrozenUsage,
    MinuteOfDecisions,
    Usage,
    percent,
)
from mailvane.outbound.store.decision_batch import digest
from mailvane.outbound.store.domains import approved_locked, forget, put_usage
from mailvane.outbound.store.revising import Outstanding, add_audit, drop_rows, owed, put_domain, take_outstanding
from mailvane.outbound.store.rows import SET_COUNTERS, WHOLE, counters_row, domain_of, locked, usage_of
from mailvane.outbound.store.tables import billing_periods, decision_minutes, domains, feedback_ids

_FEEDBACK_MS = 35 * DAY_MS
_frozen = msgspec.json.Decoder(tuple[FrozenUsage, ...])


class BillingStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def feedback(
        self,
        name: str,
        message: str,
        change: Callable[[Domain, Usage], tuple[Domain, Usage, AuditEntry | None]],
        now: int,
    ) -> bool:
        """Apply a bounce or complaint to an approved domain and its counters, once per message id.

        False when that message was applied before, or the domain is not known.
        """
        with self._database.write() as connection:
            try:
                domain, usage = approved_locked(connection, name)
            except NotFound:
                return False
            if not self._is_first(connection, digest(domain, message), now):
                return False
            changed, counters, entry = change(domain, usage)
            put_domain(connection, domain, changed)
            put_usage(connection, domain, counters)
            add_audit(connection, entry)
        return True

    def reset_day(self, renew: Callable[[Usage], Usage]) -> int:
        """Renew every domain's counters; how many domains there are, without those that were removed."""
        with self._database.write() as connection:
            before = _all_locked(connection)
            _renew(connection, before, renew)
        return sum(domain.removed_at is None for domain, _ in before)

    def close_month(self, now: int, key: str | None, renew: Callable[[Usage], Usage]) -> BillingPeriod:
        """Freeze what every domain counted since the last freeze, then renew the counters, in one transaction.

        Domains that were removed are billed a last time and forgotten. With an idempotency key that was used before,
        the stored period comes back and nothing changes.
        """
        try:
            with self._database.write() as connection:
                # Looked for when the rows are locked: whoever came first with this key has committed by then.
                before = _all_locked(connection)
                known = _period(connection, key)
                if known is not None:
                    return known
                _renew(connection, before, renew)
                drop_rows(connection, [domain.id for domain, _ in before if domain.removed_at is not None])
                owing = [owed(domain, usage) for domain, usage in before]
                return _freeze(connection, now, key, _merged([*owing, *take_outstanding(connection)]))
        except IntegrityError:
            with self._database.read() as connection:
                known = _period(connection, key)
            if known is None:
                raise
            return known

    def periods(self, limit: int) -> list[BillingPeriod]:
        """The newest first."""
        wanted = select(billing_periods).order_by(billing_periods.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_billing_period(row) for row in connection.execute(wanted)]

    def decisions(self, domain: int, since: int, until: int) -> list[MinuteOfDecisions]:
        """What was asked of a domain, minute by minute, oldest first."""
        minutes = decision_minutes.c
        wanted = (
            select(domains.c.name, minutes.minute, minutes.asked, minutes.allowed)
            .join_from(domains, decision_minutes, domains.c.id == minutes.domain)
            .where(domains.c.id == domain, minutes.minute >= since, minutes.minute < until)
            .order_by(minutes.minute)
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return [MinuteOfDecisions(domain=row[0], minute=row[1], asked=row[2], allowed=row[3]) for row in rows]

    def decided_days(self, domain: int, since: int, until: int) -> dict[int, int]:
        """How much of a domain was allowed on each day of UTC, by its start; days without any are left out."""
        minutes = decision_minutes.c
        day = (minutes.minute - minutes.minute % DAY_MS).label("day")
        wanted = (
            select(day, func.sum(minutes.allowed))
            .where(minutes.domain == domain, minutes.minute >= since, minutes.minute < until)
            .group_by(day)
        )
        with self._database.read() as connection:
            return {int(start): int(allowed) for start, allowed in connection.execute(wanted)}

    def _is_first(self, connection: Connection, identity: bytes, now: int) -> bool:
        statement = self._database.insert(feedback_ids).values(digest=identity, seen_at=now).on_conflict_do_nothing()
        if connection.execute(statement.returning(feedback_ids.c.digest)).first() is None:
            return False
        forget(connection, feedback_ids, "seen_at", now - _FEEDBACK_MS, 2)
        return True


def _all_locked(connection: Connection) -> list[tuple[Domain, Usage]]:
    return [(domain_of(row), usage_of(row)) for row in connection.execute(locked(WHOLE))]


def _renew(connection: Connection, before: list[tuple[Domain, Usage]], renew: Callable[[Usage], Usage]) -> None:
    changed = [{"row_id": domain.id} | counters_row(renew(usage), "new_") for domain, usage in before]
    if changed:
        connection.execute(SET_COUNTERS, changed)


def _merged(owing: list[Outstanding]) -> list[Outstanding]:
    """One for each domain and workspace: a domain may have gone to another one and come back."""
    found: dict[tuple[str, int], Outstanding] = {}
    for each in owing:
        known = found.get((each.name, each.workspace))
        found[each.name, each.workspace] = each if known is None else known.plus(each)
    return list(found.values())


def _freeze(connection: Connection, now: int, key: str | None, owing: list[Outstanding]) -> BillingPeriod:
    partners = {row.id: row.name for row in connection.execute(select(workspaces.c.id, workspaces.c.name))}
    frozen = tuple(_bill(each, partners[each.workspace]) for each in owing)
    text = msgspec.json.encode(frozen).decode()
    statement = insert(billing_periods).values(frozen_at=now, idempotency_key=key, domains=text)
    number = connection.execute(statement.returning(billing_periods.c.id)).scalar_one()
    return BillingPeriod(id=number, frozen_at=now, idempotency_key=key, domains=frozen)


def _bill(debt: Outstanding, workspace: str) -> FrozenUsage:
    return FrozenUsage(
        name=debt.name,
        partner=None if workspace == DEFAULT_WORKSPACE else workspace,
        sent_month=debt.sent,
        monthly_limit=debt.monthly_limit,
        bounces=debt.bounces,
        complaints=debt.complaints,
        bounce_rate=percent(debt.bounces, debt.sent),
        complaint_rate=percent(debt.complaints, debt.sent),
        workspace=debt.workspace,
    )


def _period(connection: Connection, key: str | None) -> BillingPeriod | None:
    if key is None:
        return None
    row = connection.execute(select(billing_periods).where(billing_periods.c.idempotency_key == key)).one_or_none()
    return None if row is None else _billing_period(row)


def _billing_period(row: Row[tuple[int, int, str | None, str]]) -> BillingPeriod:
    return BillingPeriod(
        id=row.id, frozen_at=row.frozen_at, idempotency_key=row.idempotency_key, domains=_frozen.decode(row.domains)
    )
