"""A domain and its counters as one row of the ledger, and back. Asks and stores nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Row, Select, Update, bindparam, column, select, update, values

from mailvane.core.decoding import prepared
from mailvane.outbound.model import Baseline, Domain, Guillotine, OtherTimes, Usage
from mailvane.outbound.store.tables import domains

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
SENT = ("sent_today", "sent_this_hour", "sent_month")  # what nearly every mail changes, and nothing else
SET_SENT = (
    update(domains).where(domains.c.id == bindparam("row_id")).values({name: bindparam(f"new_{name}") for name in SENT})
)


def _of_many(names: Sequence[str]) -> Update:
    """SQLite updates many rows at once by a table of values; its driver would run the other once for each of them."""
    told = [f"new_{name}" for name in names]
    counted = (
        values(column("row_id"), *map(column, told)).data([(bindparam("row_id"), *map(bindparam, told))]).cte("counted")
    )
    now = {name: counted.c[new] for name, new in zip(names, told, strict=True)}
    return update(domains).where(domains.c.id == counted.c.row_id).values(now)


SET_COUNTERS_SQLITE = _of_many(_USAGE)
SET_SENT_SQLITE = _of_many(SENT)


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
