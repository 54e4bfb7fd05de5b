"""The suppression list in the ledger. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, or_, select

from mailvane.core.ledger.database import Database, Prepared
from mailvane.core.moments import DAY_MS
from mailvane.maillog.model import MailEvent
from mailvane.outbound.store.tables import suppression_days, suppressions
from mailvane.outbound.suppression import (
    Suppression,
    SuppressionDay,
    SuppressionReason,
    SuppressionRules,
    suppressions_of,
)

_AT_ONCE = 5_000  # rows of one transaction, so that a decision waits for few


class SuppressionStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        new = database.insert(suppressions)
        later = new.excluded.noticed_at >= suppressions.c.noticed_at
        keys = ["address", "workspace", "reason"]
        told = {name: case((later, new.excluded[name]), else_=suppressions.c[name]) for name in ("source", "note")}
        latest = case((later, new.excluded.noticed_at), else_=suppressions.c.noticed_at)
        heard = {"noticed_at": latest, **told}
        self._notice = Prepared(new.on_conflict_do_update(index_elements=keys, set_=heard))
        said = {"expires_at": new.excluded.expires_at, "noticed_at": new.excluded.noticed_at}
        said |= {name: new.excluded[name] for name in ("source", "note")}
        self._put = Prepared(new.on_conflict_do_update(index_elements=keys, set_=said))

    def notice(self, connection: Connection, workspace: int, events: Iterable[MailEvent]) -> None:
        """Put down what mail events say, within the transaction that records them.

        An end that somebody set stays. What is older than what is known changes nothing.
        """
        found: dict[tuple[str, str], Suppression] = {}
        for each in suppressions_of(workspace, events):
            known = found.get((each.address, each.reason))
            if known is None or known.noticed_at <= each.noticed_at:
                found[each.address, each.reason] = each
        if found:
            self._notice.many(connection, [_row(found[key]) for key in sorted(found)])

    def put(self, entries: Sequence[Suppression]) -> None:
        """In place of what is there of the same address and reason; its counts go on."""
        rows = [_row(each) for each in sorted(entries, key=lambda each: (each.address, each.reason))]
        for start in range(0, len(rows), _AT_ONCE):
            with self._database.write() as connection:
                self._put.many(connection, rows[start : start + _AT_ONCE])

    def remove(self, workspace: int, address: str, reason: SuppressionReason | None = None) -> int:
        """How many rows there were."""
        own = (suppressions.c.address == address) & (suppressions.c.workspace == workspace)
        if reason is not None:
            own &= suppressions.c.reason == reason.value
        with self._database.write() as connection:
            return connection.execute(delete(suppressions).where(own)).rowcount

    def of(self, workspace: int, address: str) -> list[Suppression]:
        """Every reason, those that have expired, too."""
        own = (suppressions.c.address == address) & (suppressions.c.workspace == workspace)
        with self._database.read() as connection:
            found = [_entry(row) for row in connection.execute(select(suppressions).where(own))]
        return sorted(found, key=lambda each: list(SuppressionReason).index(each.reason))

    def page(
        self, workspace: int, after: tuple[str, str], limit: int, holding: ColumnElement[bool] | None = None,
        reason: SuppressionReason | None = None,
    ) -> list[Suppression]:  # fmt: skip
        """Of a workspace, by address and reason, behind `after`; `holding`: only those (see `holding`)."""
        address, last = after
        behind = or_(
            suppressions.c.address > address,
            (suppressions.c.address == address) & (suppressions.c.reason > last),
        )
        # The first condition alone is what an index can begin at.
        wanted = select(suppressions).where(
            suppressions.c.workspace == workspace, suppressions.c.address >= address, behind
        )
        if holding is not None:
            wanted = wanted.where(holding)
        if reason is not None:
            wanted = wanted.where(suppressions.c.reason == reason.value)
        wanted = wanted.order_by(suppressions.c.address, suppressions.c.reason).limit(limit)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(wanted)]

    def counts(self, workspace: int, holding: ColumnElement[bool]) -> dict[SuppressionReason, int]:
        """Addresses of each reason."""
        wanted = (
            select(suppressions.c.reason, func.count())
            .where(suppressions.c.workspace == workspace, holding)
            .group_by(suppressions.c.reason)
        )
        with self._database.read() as connection:
            return {SuppressionReason(row[0]): row[1] for row in connection.execute(wanted)}

    def days(self, workspace: int, since: int) -> list[SuppressionDay]:
        """Who was spared from that moment's day on, the oldest first."""
        wanted = (
            select(suppression_days)
            .where(suppression_days.c.workspace == workspace, suppression_days.c.day >= since // DAY_MS)
            .order_by(suppression_days.c.day, suppression_days.c.reason)
        )
        with self._database.read() as connection:
            return [
                SuppressionDay(
                    day=row.day, reason=SuppressionReason(row.reason), spared=row.spared, warned=row.warned
                )
                for row in connection.execute(wanted)
            ]  # fmt: skip


def holding(rules: SuppressionRules, now: int) -> ColumnElement[bool]:
    """Rows that hold at that time, as `SuppressionRules.holds` says."""
    by_setting = [
        (suppressions.c.reason == reason.value) & (suppressions.c.noticed_at > now - days * DAY_MS if days else True)
        for reason, days in rules.days.items()
    ]
    return or_(
        suppressions.c.expires_at > now,
        suppressions.c.expires_at.is_(None) & or_(*by_setting),
    )


def _row(entry: Suppression) -> dict[str, object]:
    return {
        "address": entry.address,
        "workspace": entry.workspace,
        "reason": entry.reason.value,
        "noticed_at": entry.noticed_at,
        "expires_at": entry.expires_at,
        "source": entry.source,
        "note": entry.note,
        "spared": entry.spared,
        "warned": entry.warned,
    }


def _entry(row: Row[tuple[object, ...]]) -> Suppression:
    return Suppression(**{**row._asdict(), "reason": SuppressionReason(row.reason)})
