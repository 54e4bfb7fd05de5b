"""Which limits there are now: what was told of one may have been of another number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from mailvane.core.ledger.columns import in_chunks
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.memory import Memory
from mailvane.outbound.model import EVERY, LimitKind, LimitWindow, SenderLimit, hourly_cap
from mailvane.outbound.store.rows import KNOWN, domain_of
from mailvane.outbound.store.senders import LimitsOf, named_limits, no_limits
from mailvane.outbound.store.tables import domains

_AT_ONCE = 500


class LimitName(NamedTuple):
    """One window of a limit."""

    kind: LimitKind
    name: str
    window: LimitWindow


class PresentLimits:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database, limits_of: LimitsOf = no_limits) -> None:
        """`limits_of`: as of DomainStore."""
        self._database = database
        self._limits_of = limits_of

    def of(self, wanted: Collection[LimitName], now: int) -> dict[LimitName, frozenset[int]]:
        """How many mails each lets pass: several numbers where the operator limits a governed domain, too; or none."""
        found: dict[LimitName, set[int]] = {one: set() for one in wanted}
        for names in in_chunks(sorted({one.name for one in wanted}), _AT_ONCE):
            with self._database.read() as connection:
                for limit in self._limits(connection, names, now):
                    for window, most in limit.windows:
                        if (one := LimitName(limit.kind, limit.name, window)) in found:
                            found[one].add(most)
        return {one: frozenset(numbers) for one, numbers in found.items()}

    def _limits(self, connection: Connection, names: Sequence[str], now: int) -> Iterator[SenderLimit]:
        installed = named_limits(connection, {EVERY, *names})
        for kind in LimitKind:
            usual = installed.get((kind, EVERY))
            for name in names:
                if (limit := installed.get((kind, name), usual)) is not None:
                    yield SenderLimit(
                        kind=kind, name=name, hourly=limit.hourly, daily=limit.daily, monthly=limit.monthly
                    )
        yield from self._limits_of(connection, Memory(), names, now)
        governed = KNOWN.where(domains.c.name.in_(names), domains.c.approved, domains.c.removed_at.is_(None))
        for domain in map(domain_of, connection.execute(governed)):
            yield SenderLimit(
                kind=LimitKind.DOMAIN, name=domain.name, daily=domain.daily_limit or None,
                hourly=hourly_cap(domain.daily_limit, domain.hourly_fraction) or None,
                monthly=domain.monthly_limit or None,
            )  # fmt: skip
