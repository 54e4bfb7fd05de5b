"""Writing what is to become of the domains of a name, and what of their mail stays to be billed. Asks nothing itself.

Whatever a domain counted since the last freeze is owed by the workspace that it belonged to at that time: when the
domain is dropped or goes to another workspace it becomes a row of outstanding usage, which the next freeze bills.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from mailvane.outbound.model import AuditEntry, Domain, HeldDomain, Revision, Usage
from mailvane.outbound.store.rows import SET_COUNTERS, counters_row, settings_row
from mailvane.outbound.store.tables import decision_minutes, domain_audit, domains, outstanding_usage


class Outstanding(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace owes for a domain."""

    workspace: int
    name: str
    monthly_limit: int
    sent: int
    bounces: int
    complaints: int

    def plus(self, more: Outstanding) -> Outstanding:
        return msgspec.structs.replace(
            self,
            sent=self.sent + more.sent,
            bounces=self.bounces + more.bounces,
            complaints=self.complaints + more.complaints,
        )


def apply_revision(connection: Connection, before: Sequence[HeldDomain], revision: Revision) -> tuple[Domain, ...]:
    """Those that it keeps, with their ids."""
    known = {held.domain.id: held for held in before}
    for number in revision.dropped:
        _hand_over(connection, known[number])
        drop_rows(connection, [number])
    kept = []
    for held in revision.kept:
        old = known.get(held.domain.id)
        kept.append(add_row(connection, held) if old is None else _put(connection, old, held))
    for entry in revision.entries:
        add_audit(connection, entry)
    return tuple(kept)


def add_row(connection: Connection, held: HeldDomain) -> Domain:
    row = settings_row(held.domain) | counters_row(held.usage)
    number = connection.execute(insert(domains).values(row).returning(domains.c.id)).scalar_one()
    return msgspec.structs.replace(held.domain, id=number)


def put_domain(connection: Connection, old: Domain, new: Domain) -> None:
    if new != old:
        connection.execute(update(domains).where(domains.c.id == old.id).values(settings_row(new)))


def add_audit(connection: Connection, entry: AuditEntry | None) -> None:
    if entry is not None:
        connection.execute(insert(domain_audit).values(msgspec.structs.asdict(entry)))


def drop_rows(connection: Connection, numbers: Sequence[int]) -> None:
    """With what was decided about them."""
    if numbers:
        connection.execute(delete(decision_minutes).where(decision_minutes.c.domain.in_(numbers)))
        connection.execute(delete(domains).where(domains.c.id.in_(numbers)))


def owed(domain: Domain, usage: Usage) -> Outstanding:
    """Everything since the last freeze, so that each mail is billed once, also when a freeze comes late."""
    return Outstanding(
        workspace=domain.workspace,
        name=domain.name,
        monthly_limit=domain.monthly_limit,
        sent=usage.unbilled_sent + usage.sent_month,
        bounces=usage.unbilled_bounces + usage.bounces,
        complaints=usage.unbilled_complaints + usage.complaints,
    )


def take_outstanding(connection: Connection) -> list[Outstanding]:
    """What former owners owe; it is not kept any longer."""
    columns = [outstanding_usage.c[field] for field in Outstanding.__struct_fields__]
    rows: Any = connection.execute(
        select(outstanding_usage.c.id, *columns).order_by(outstanding_usage.c.id).with_for_update()
    ).all()
    if rows:
        connection.execute(delete(outstanding_usage).where(outstanding_usage.c.id.in_([row[0] for row in rows])))
    return [Outstanding(**dict(zip(Outstanding.__struct_fields__, row[1:], strict=True))) for row in rows]


def _put(connection: Connection, old: HeldDomain, new: HeldDomain) -> Domain:
    usage = new.usage
    if new.domain.workspace != old.domain.workspace:
        _hand_over(connection, old)
        usage = usage.billed_elsewhere()
    put_domain(connection, old.domain, new.domain)
    if usage != old.usage:
        connection.execute(SET_COUNTERS, [{"row_id": old.domain.id} | counters_row(usage, "new_")])
    return new.domain


def _hand_over(connection: Connection, held: HeldDomain) -> None:
    debt = owed(held.domain, held.usage)
    if debt.sent or debt.bounces or debt.complaints:
        connection.execute(insert(outstanding_usage).values(msgspec.structs.asdict(debt)))
