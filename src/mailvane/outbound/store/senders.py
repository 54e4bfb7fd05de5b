"""Limits of single senders, beside those of a governed domain: how many mails of each have passed in every window.

Those of mailboxes are kept by whoever knows mailboxes, those of the installation in `send_limits`. The counters are
kept here, a row for a sender and stretch of time (UTC), and are locked with the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select

from mailvane.core.ledger.database import Database, Prepared, PreparedChoice, unchanged
from mailvane.core.ledger.memory import Memory
from mailvane.core.ledger.tables import workspaces
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.model import (
    DEFAULT_WORKSPACE,
    EVERY,
    Domain,
    LimitKind,
    LimitMark,
    LimitWindow,
    SenderLimit,
    SendRequest,
    Usage,
)
from mailvane.outbound.store.marks import end_of, is_passed, month_of_day, of_domain, rows_of
from mailvane.outbound.store.tables import limit_marks, send_limits, sender_days

# Of a transaction, with its memory, addresses in lower case, and the time: the limits of those that have one.
LimitsOf = Callable[[Connection, Memory, Sequence[str], int], Iterable[SenderLimit]]
Installed = Mapping[tuple[LimitKind, str], SenderLimit]  # those of the installation

_NOBODY = Prepared(select(workspaces.c.id).where(workspaces.c.name == bindparam("name")))
_NAMED = PreparedChoice(select(send_limits).where, send_limits.c.name)
_COUNTED = PreparedChoice(
    lambda named: (
        select(sender_days.c.digest, sender_days.c.sent).where(named).order_by(sender_days.c.digest).with_for_update()
    ),
    sender_days.c.digest,
)


def no_limits(_connection: Connection, _memory: Memory, _addresses: Sequence[str], _now: int) -> Iterable[SenderLimit]:
    return ()


class Counter(msgspec.Struct, frozen=True, gc=False):
    """One window of one sender, at one time."""

    digest: bytes
    last_day: int  # on which it counts, in days since the epoch


def counter_of(limit: SenderLimit, window: LimitWindow, now: int) -> Counter:
    """Of whoever the limit names."""
    if window is LimitWindow.MONTH:
        stretch, last_day = month_of_day(now // DAY_MS)
    else:
        stretch, last_day = now // (HOUR_MS if window is LimitWindow.HOUR else DAY_MS), now // DAY_MS
    told = f"{limit.workspace}\0{limit.name}\0{stretch}"
    if limit.kind is not LimitKind.MAILBOX or window is not LimitWindow.DAY:
        told += f"\0{limit.kind}\0{window}"
    digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16, person=b"sender").digest()
    return Counter(digest, last_day)


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The limit that was reached, and in which window."""

    kind: LimitKind
    window: LimitWindow


class SenderCounters:
    """The limits of the senders that are asked about, and their counters as they change. Of one transaction."""

    def __init__(self, limits: Iterable[SenderLimit], nobody: int | None, now: int, installed: Installed) -> None:
        """`nobody`: the workspace of domains that belong to nobody in particular."""
        self._limits: dict[str, list[SenderLimit]] = {}
        for limit in limits:
            self._limits.setdefault(limit.name, []).append(limit)
        self._installed = installed
        self._nobody = nobody
        self._now = now
        self._sent: dict[bytes, int] = {}
        self._changed: dict[bytes, int] = {}  # with the last day of each
        self.marks: list[LimitMark] = []

    def counters(self, requests: Iterable[SendRequest]) -> list[Counter]:
        """Every one that these requests may need, by digest."""
        limits = {limit for limits in self._limits.values() for limit in limits}
        if self._installed:
            limits.update(limit for request in requests for limit in self._of_installation(request))
        found = (counter_of(limit, window, self._now) for limit in limits for window, _ in limit.windows)
        return sorted(found, key=lambda counter: counter.digest)

    def load(self, sent: Mapping[bytes, int]) -> None:
        self._sent |= sent

    def of(self, request: SendRequest, domain: Domain | None) -> tuple[SenderLimit, ...]:
        """The limits that a mail falls under, side by side."""
        own = self._of_mailbox(request, domain) if self._limits else None
        if not self._installed:
            return () if own is None else (own,)
        return (*(() if own is None else (own,)), *self._of_installation(request))

    def _of_mailbox(self, request: SendRequest, domain: Domain | None) -> SenderLimit | None:
        """That of the login, else that of the sender.

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

    def _of_installation(self, request: SendRequest) -> Iterator[SenderLimit]:
        addresses = [(LimitKind.MAILBOX, address) for address in request.senders]
        named = next((each for each in addresses if each in self._installed), None)
        mailboxes = [named] if named is not None else addresses[:1]
        others = [(LimitKind.LOGIN, request.login), (LimitKind.DOMAIN, request.domain)]
        for kind, name in (*mailboxes, *others):
            limit = self._installed.get((kind, name)) or self._installed.get((kind, EVERY))
            if limit is not None and name:
                yield limit if limit.name == name else msgspec.structs.replace(limit, name=name)

    def refuses(self, limits: Iterable[SenderLimit]) -> Refused | None:
        """The first that is reached."""
        for limit in limits:
            for window, most in limit.windows:
                if self._sent.get(counter_of(limit, window, self._now).digest, 0) >= most:
                    return Refused(limit.kind, window)
        return None

    def count(self, limits: Iterable[SenderLimit], domain: Domain | None = None) -> None:
        """A mail passed, of this governed domain or of none."""
        for limit in limits:
            for window, most in limit.windows:
                counter = counter_of(limit, window, self._now)
                sent = self._sent.get(counter.digest, 0) + 1
                self._sent[counter.digest] = sent
                self._changed[counter.digest] = counter.last_day
                if is_passed(sent - 1, sent, most):
                    owner = limit.workspace or (domain.workspace if domain is not None else self._nobody) or 0
                    until = end_of(window, self._now, counter.last_day)
                    self.marks.append(
                        LimitMark(
                            at=self._now, workspace=owner, kind=limit.kind, name=limit.name, window=window, sent=sent,
                            most=most, until=until,
                        )
                    )  # fmt: skip

    def count_domain(self, domain: Domain, before: Usage, after: Usage) -> None:
        """What a governed domain sent grew by a mail."""
        self.marks += of_domain(domain, before, after, self._now)

    def rows(self) -> list[dict[str, object]]:
        """Of the counters that changed."""
        return [{"digest": each, "day": day, "sent": self._sent[each]} for each, day in sorted(self._changed.items())]


class SenderDays:
    """The counters in the ledger."""

    def __init__(self, database: Database, limits_of: LimitsOf) -> None:
        self._limits_of = limits_of
        self._begin = Prepared(database.insert(sender_days).on_conflict_do_nothing(), unchanged)
        self._put = Prepared(database.upsert(sender_days), unchanged)

    def held(self, connection: Connection, memory: Memory, requests: Sequence[SendRequest], now: int) -> SenderCounters:
        """Of the senders of these requests, their rows locked."""
        addresses = sorted({address for request in requests for address in request.senders})
        limits = list(self._limits_of(connection, memory, addresses, now)) if addresses else []
        names = {name for request in requests for name in (request.login, request.domain)}
        installed = named_limits(connection, {EVERY, *addresses, *names}, memory)
        if not limits and not installed:
            return SenderCounters((), None, now, {})
        nobody = _NOBODY.rows(connection, {"name": DEFAULT_WORKSPACE})
        found = SenderCounters(limits, nobody[0].id if nobody else None, now, installed)
        counters = found.counters(requests)
        if counters:
            # A row that is not there cannot be locked.
            rows = [{"digest": each.digest, "day": each.last_day, "sent": 0} for each in counters]
            self._begin.many(connection, rows)
            found.load(sent_of(connection, [each.digest for each in counters]))
        return found

    def keep(self, connection: Connection, counters: SenderCounters) -> int:
        """How many rows changed."""
        rows = counters.rows()
        if counters.marks:
            connection.execute(insert(limit_marks), rows_of(counters.marks))
        if rows:
            self._put.many(connection, rows)
        return len(rows)


def named_limits(connection: Connection, names: Iterable[str], memory: Memory | None = None) -> Installed:
    """The limits of the installation of these names, of any kind."""
    wanted = sorted(names)
    known = (memory or Memory()).rows("send limits", connection, _NAMED, wanted)
    found = (limit_of(row) for name in wanted for row in known[name])
    return {(limit.kind, limit.name): limit for limit in found}


def limit_of(row: Row[Any]) -> SenderLimit:
    """Of `send_limits`."""
    return SenderLimit(kind=LimitKind(row.kind), name=row.name, hourly=row.hourly, daily=row.daily, monthly=row.monthly)


def sent_of(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    """What these counters say, locked where a transaction writes."""
    return {bytes(row.digest): row.sent for row in _COUNTED.rows(connection, digests)}
