"""A domain and its counters as one row of the ledger, and back. Asks and stores nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, column, delete, insert, select, update, values

from mailvane.core.decoding import prepared
from mailvane.outbound.model import AuditEntry, Baseline, Domain, Guillotine, HeldDomain, OtherTimes, Revision, Usage
from mailvane.outbound.store.tables import decision_minutes, domain_audit, domains, outstanding_usage

_DOMAIN = Domain.__struct_fields__
_USAGE = Usage.__struct_fields__
_WIDTH = len(_DOMAIN)
_counters = attrgetter(*_USAGE)
_KEPT_DOMAINS = 20_000
_days = msgspec.json.Decoder(tuple[int, ...])
_baseline = msgspec.json.Decoder(Baseline)
_other = msgspec.json.Decoder(OtherTimes)
_guillotine = msgspec.json.Decoder(Guillotine)

WHOLE = select(*(domains.c[name] for name in (*_DOMAIN, *_USAGE)))
KNOWN = select(*(domains.c[name] for name in _DOMAIN))
COUNTED = select(domains.c.id, *(domains.c[name] for name in _USAGE))
SET_COUNTERS = (
    update(domains)
    .where(domains.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}") for name in _USAGE})
)
# SQLite updates many rows at once by a table of values; its driver would run the other once for each of them.
_COUNTED_NOW = (
    values(column("row_id"), *(column(f"new_{name}") for name in _USAGE))
    .data([(bindparam("row_id"), *(bindparam(f"new_{name}") for name in _USAGE))])
    .cte("counted")
)
SET_COUNTERS_SQLITE = (
    update(domains)
    .where(domains.c.id == _COUNTED_NOW.c.row_id)
    .values({name: _COUNTED_NOW.c[f"new_{name}"] for name in _USAGE})
)


def locked(wanted: Select[Any]) -> Select[Any]:
    """Held until the end of the transaction; all in one order, so that no two wait for each other."""
    return wanted.order_by(domains.c.id).with_for_update()


def domain_of(row: Row[Any]) -> Domain:
    """Of a row of `KNOWN` or `WHOLE`."""
    return _domain(tuple(row[:_WIDTH]))


def usage_of(row: Row[Any]) -> Usage:
    """Of a row of `WHOLE`."""
    return read_usage(row[_WIDTH:])


def read_usage(values: Sequence[Any]) -> Usage:
    """From the counters' columns in the order of the struct's fields."""
    fields = dict(zip(_USAGE, values, strict=True))
    fields["last_days"] = _days.decode(fields["last_days"])
    fields["baseline"] = _read_baseline(fields["baseline"])
    fields["other"] = _read_other(fields["other"])
    return Usage(**fields)


def settings_row(domain: Domain) -> dict[str, Any]:
    """Every column of a domain but its id and its counters."""
    row = msgspec.structs.asdict(domain)
    del row["id"]
    row["dkim_tokens"] = _json(domain.dkim_tokens)
    row["guillotine"] = None if domain.guillotine is None else _json(domain.guillotine)
    return row


def counters_row(usage: Usage, prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(_prefixed(prefix), _counters(usage), strict=True))
    row[prefix + "last_days"] = _json(usage.last_days)
    row[prefix + "baseline"] = _written(usage.baseline)
    row[prefix + "other"] = _written(usage.other)
    return row


@lru_cache(maxsize=_KEPT_DOMAINS)
def _read_baseline(text: str) -> Baseline:
    """Hardly ever changes, likewise below, and is read for every mail."""
    return _baseline.decode(text)


@lru_cache(maxsize=_KEPT_DOMAINS)
def _read_other(text: str) -> OtherTimes:
    return _other.decode(text)


@lru_cache(maxsize=_KEPT_DOMAINS)
def _written(value: Baseline | OtherTimes) -> str:
    return _json(value)


@lru_cache(maxsize=2)
def _prefixed(prefix: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in _USAGE)


@lru_cache(maxsize=_KEPT_DOMAINS)
def _domain(values: tuple[Any, ...]) -> Domain:
    """Hardly ever changes, and is read for every mail."""
    fields = dict(zip(_DOMAIN, values, strict=True))
    for name in ("closed", "approved", "own_proof"):
        fields[name] = bool(fields[name])  # a number where the driver knows no truth values
    fields["dkim_tokens"] = msgspec.json.decode(fields["dkim_tokens"])
    if fields["guillotine"] is not None:
        fields["guillotine"] = _guillotine.decode(fields["guillotine"])
    return msgspec.convert(fields, prepared(Domain))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# Writing what is to become of the domains of a name, and what of their mail stays to be billed. Asks nothing itself.
#
# Whatever a domain counted since the last freeze is owed by the workspace that it belonged to at that time: when the
# domain is dropped or goes to another workspace it becomes a row of outstanding usage, which the next freeze bills.


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
