"""Limits of single senders, beside those of their domain: how many mails of an address have passed today.

The limits are kept by whoever knows mailboxes; the counters are kept here, a row for an address and day (UTC), and are
locked with the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

from sqlalchemy import Connection, bindparam, select

from mailvane.core.ledger.database import Database, Prepared, PreparedChoice
from mailvane.core.ledger.tables import workspaces
from mailvane.core.moments import DAY_MS
from mailvane.outbound.model import DEFAULT_WORKSPACE, Domain, SenderLimit, SendRequest
from mailvane.outbound.store.tables import sender_days

# Of a transaction, addresses in lower case, and the time: the limits of those that have one.
LimitsOf = Callable[[Connection, Sequence[str], int], Iterable[SenderLimit]]

_NOBODY = Prepared(select(workspaces.c.id).where(workspaces.c.name == bindparam("name")))
_COUNTED = PreparedChoice(
    lambda named: (
        select(sender_days.c.digest, sender_days.c.sent).where(named).order_by(sender_days.c.digest).with_for_update()
    ),
    sender_days.c.digest,
)


def no_limits(_connection: Connection, _addresses: Sequence[str], _now: int) -> Iterable[SenderLimit]:
    return ()


class SenderCounters:
    """The limits of the senders that are asked about, and their counters as they change. Of one transaction."""

    def __init__(self, limits: Iterable[SenderLimit], nobody: int | None, now: int) -> None:
        """`nobody`: the workspace of domains that belong to nobody in particular."""
        self._limits: dict[str, list[SenderLimit]] = {}
        for limit in limits:
            self._limits.setdefault(limit.address, []).append(limit)
        self._nobody = nobody
        self._day = now // DAY_MS
        self._sent: dict[bytes, int] = {}
        self._changed: set[bytes] = set()

    def digests(self) -> list[bytes]:
        return sorted(self.digest(limit) for limits in self._limits.values() for limit in limits)

    def load(self, sent: Mapping[bytes, int]) -> None:
        self._sent |= sent

    def of(self, request: SendRequest, domain: Domain | None) -> SenderLimit | None:
        """The limit that a mail falls under: that of the login, else that of the sender.

        A limit holds for mail of a domain that is the same workspace's. For that of a domain that is nobody's it holds
        when no other workspace has one for the address.
        """
        owner = None if domain is None or domain.workspace == self._nobody else domain.workspace
        for address in request.senders:
            limits = self._limits.get(address, ())
            own = [limit for limit in limits if limit.workspace == owner] if owner is not None else list(limits)
            if len(own) == 1:
                return own[0]
        return None

    def refuses(self, limit: SenderLimit) -> bool:
        return self._sent.get(self.digest(limit), 0) >= limit.daily

    def count(self, limit: SenderLimit) -> None:
        digest = self.digest(limit)
        self._sent[digest] = self._sent.get(digest, 0) + 1
        self._changed.add(digest)

    def rows(self) -> list[dict[str, object]]:
        """Of the counters that changed."""
        return [{"digest": digest, "day": self._day, "sent": self._sent[digest]} for digest in sorted(self._changed)]

    def digest(self, limit: SenderLimit) -> bytes:
        """Stands for the address on this day."""
        told = f"{limit.workspace}\0{limit.address}\0{self._day}".encode("utf-8", "surrogatepass")
        return blake2b(told, digest_size=16, person=b"sender").digest()


class SenderDays:
    """The counters in the ledger."""

    def __init__(self, database: Database, limits_of: LimitsOf) -> None:
        self._limits_of = limits_of
        self._begin = Prepared(database.insert(sender_days).on_conflict_do_nothing())
        self._put = Prepared(database.upsert(sender_days))

    def held(self, connection: Connection, requests: Sequence[SendRequest], now: int) -> SenderCounters:
        """Of the senders of these requests, their rows locked."""
        addresses = sorted({address for request in requests for address in request.senders})
        limits = list(self._limits_of(connection, addresses, now)) if addresses else []
        if not limits:
            return SenderCounters((), None, now)
        nobody = _NOBODY.rows(connection, {"name": DEFAULT_WORKSPACE})
        found = SenderCounters(limits, nobody[0].id if nobody else None, now)
        digests = found.digests()
        # A row that is not there cannot be locked.
        self._begin.many(connection, [{"digest": each, "day": now // DAY_MS, "sent": 0} for each in digests])
        found.load({bytes(row.digest): row.sent for row in _COUNTED.rows(connection, digests)})
        return found

    def keep(self, connection: Connection, counters: SenderCounters) -> int:
        """How many rows changed."""
        rows = counters.rows()
        if rows:
            self._put.many(connection, rows)
        return len(rows)
