"""Sending domains in the ledger, and every decision on a mail.

A transaction locks the rows of the domains it speaks of, so nodes agree; where SQLite is the ledger, writers queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import NotFound
from mailvane.core.ledger.database import Database, Prepared, PreparedChoice, unchanged
from mailvane.core.ledger.memory import Memory, Remembering
from mailvane.core.moments import DAY_MS, HOUR_MS, SECOND_MS
from mailvane.outbound.model import (
    AuditEntry,
    Domain,
    HeldDomain,
    Judge,
    Revise,
    Revision,
    SendRequest,
    Usage,
    Verdict,
    Watch,
    leading,
    there,
)
from mailvane.outbound.store.decision_batch import DecisionBatch
from mailvane.outbound.store.revising import add_audit, apply_revision, put_domain
from mailvane.outbound.store.rows import (
    COUNTED,
    KNOWN,
    SET_COUNTERS,
    SET_COUNTERS_SQLITE,
    SET_SENT,
    SET_SENT_SQLITE,
    WHOLE,
    counters_row,
    domain_of,
    locked,
    read_usage,
    usage_of,
)
from mailvane.outbound.store.screening import Screening
from mailvane.outbound.store.senders import LimitsOf, SenderDays, no_limits
from mailvane.outbound.store.tables import (
    answers,
    decision_minutes,
    domain_audit,
    domains,
    increment_keys,
    limit_marks,
    sender_days,
)
from mailvane.outbound.suppression import NO_SUPPRESSION, SuppressionRules

# A mail server asks again within one SMTP conversation, or when an answer was lost on the way.
_ANSWERS_MS = HOUR_MS
KEYS_MS = DAY_MS  # ours: for so long a request with a key is recognised
_SENDER_DAYS = 3  # ours: clocks of nodes differ by less
_MINUTES_MS = 100 * DAY_MS
# By which column a row is too old, and for how long it is kept: in milliseconds, or in days of those of a day.
_KEPT: Mapping[Table, tuple[str, int]] = {
    answers: ("answered_at", _ANSWERS_MS),
    increment_keys: ("answered_at", KEYS_MS),
    decision_minutes: ("minute", _MINUTES_MS),
    sender_days: ("day", _SENDER_DAYS),
    limit_marks: ("at", _SENDER_DAYS * DAY_MS),
}
_NAMES = 0x646F6D61696E73  # seeds the hash of a name, so that its lock is no other program's
_NAMED = PreparedChoice(lambda named: locked(WHOLE.where(named)), domains.c.name)
_COUNTED = COUNTED.where(domains.c.id.in_(bindparam("ids", expanding=True)))
_ANSWERED = PreparedChoice(select(answers.c.digest, answers.c.verdict).where, answers.c.digest)
_KEYED = PreparedChoice(
    select(increment_keys.c.digest, increment_keys.c.verdict, increment_keys.c.answered_at).where,
    increment_keys.c.digest,
)
_PUT_COUNTERS = Prepared(SET_COUNTERS, unchanged, SET_COUNTERS_SQLITE)
_PUT_SENT = Prepared(SET_SENT, unchanged, SET_SENT_SQLITE)
_HELD = "domains"  # in the memory: of each name, the domains with their counters


class DomainStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database, limits_of: LimitsOf = no_limits) -> None:
        """`limits_of` is asked, within the transaction of a decision, which senders have limits of their own."""
        self._database = database
        self._remembering = Remembering(database)
        self._senders = SenderDays(database, limits_of)
        self._screening = Screening(database)
        new = database.insert(decision_minutes)
        self._add_minutes = Prepared(
            new.on_conflict_do_update(
                index_elements=["domain", "minute"],
                set_={
                    "asked": decision_minutes.c.asked + new.excluded.asked,
                    "allowed": decision_minutes.c.allowed + new.excluded.allowed,
                },
            ),
            lambda row: {**row, "asked": 0, "allowed": 0},
        )
        self._put_answers = Prepared(database.upsert(answers), unchanged)
        self._put_keyed = Prepared(database.upsert(increment_keys), unchanged)

    def domains(self, workspace: int | None = None, removed: bool = False) -> list[Domain]:
        """The domains of a workspace, or all; the newest first. `removed`: also those that were."""
        wanted = _there(KNOWN.order_by(domains.c.id.desc()), removed)
        with self._database.read() as connection:
            rows = connection.execute(wanted if workspace is None else wanted.where(domains.c.workspace == workspace))
            return [domain_of(row) for row in rows]

    def domains_made_since(self, workspace: int, since: int) -> list[Domain]:
        """Those of a workspace that were created then or later; the newest first."""
        of_time = KNOWN.where(domains.c.workspace == workspace, domains.c.created_at >= since)
        with self._database.read() as connection:
            rows = connection.execute(_there(of_time.order_by(domains.c.id.desc()), False))
            return [domain_of(row) for row in rows]

    def domain_count(self, workspace: int) -> int:
        """How many a workspace has, without those that were removed."""
        counted = select(func.count()).where(domains.c.workspace == workspace, domains.c.removed_at.is_(None))
        with self._database.read() as connection:
            return connection.execute(counted).scalar_one()

    def domain(self, name: str, workspace: int | None = None) -> Domain | None:
        """What a workspace has of that name; without one, the approved one, else what was claimed first."""
        with self._database.read() as connection:
            found = [domain_of(row) for row in connection.execute(_there(KNOWN.where(domains.c.name == name), False))]
        return leading(each for each in found if workspace in {None, each.workspace})

    def approved_domain(self, name: str) -> Domain | None:
        """The one that holds for mail servers and feedback, also one that was removed, as long as it is kept."""
        with self._database.read() as connection:
            row = connection.execute(KNOWN.where(domains.c.name == name, domains.c.approved)).one_or_none()
        return None if row is None else domain_of(row)

    def change_domain(
        self, name: str, change: Callable[[Domain], Domain], entry: AuditEntry | None, workspace: int | None = None
    ) -> Domain:
        """Read, change and write what `domain` finds, under a lock, with the audit entry. Raises NotFound."""

        def changed(held: Sequence[HeldDomain]) -> Revision:
            old = leading(there(held, workspace))
            if old is None:
                raise NotFound(f"there is no domain {name}")
            usage = next(each.usage for each in held if each.domain is old)
            kept = HeldDomain(domain=change(old), usage=usage)
            return Revision(kept=(kept,), entries=() if entry is None else (entry,))

        return self.revise(name, changed)[0]

    def revise(self, name: str, revise: Revise) -> tuple[Domain, ...]:
        """Hand what there is of a name to a pure function, under a lock, and do what it says; the domains it keeps.

        Removed ones are there, too. What a domain has sent and no freeze has billed stays owed by its workspace when
        it is dropped or goes to another one. Raises NotFound for a workspace that is not there.
        """
        try:
            with self._database.write() as connection:
                # Rows that nobody has written yet cannot be locked. Where SQLite is the ledger, writers queue anyhow.
                if not self._database.is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, _NAMES))))
                rows = connection.execute(locked(WHOLE.where(domains.c.name == name))).all()
                before = [HeldDomain(domain=domain_of(row), usage=usage_of(row)) for row in rows]
                return apply_revision(connection, before, revise(before))
        except IntegrityError as error:
            raise NotFound("there is no such workspace") from error

    def usage(self, domains: Sequence[int]) -> Mapping[int, Usage]:
        """The counters as stored, by id: whoever reads them brings them to today."""
        with self._database.read() as connection:
            rows = connection.execute(_COUNTED, {"ids": list(domains)}).all()
        return {row[0]: read_usage(row[1:]) for row in rows}

    def decide(
        self,
        requests: Sequence[SendRequest],
        now: int,
        judge: Judge,
        watch: Watch | None = None,
        rules: SuppressionRules = NO_SUPPRESSION,
    ) -> list[Verdict]:
        """Judge them one after the other in one transaction and keep the counters; the answers in the same order.

        A request whose instance was answered before gets that answer again and is not counted again. Decisions are
        added to the minutes that `decisions` reads. A domain that is not of the workspace that the request names is
        not known. Mail servers know the approved one of a name, others none that was removed. What `watch` says of a
        domain holds for the passages after that one. `rules`: how recipients that are suppressed are treated.
        """
        with self._remembering.write() as (connection, memory):
            held = _held(connection, memory, {request.domain for request in requests})
            senders = self._senders.held(connection, memory, requests, now)
            batch = DecisionBatch(held, now, watch, senders)
            self._recall(connection, batch, requests, now)
            screen = self._screening.held(connection, memory, requests, rules, now)
            verdicts = screen.decide(batch, requests, judge)
            written = self._keep(connection, batch)
            memory.of(_HELD).update(batch.by_name())
            written[answers] += self._screening.keep(connection, screen)
            written[sender_days] = self._senders.keep(connection, senders)
            written[limit_marks] = len(senders.marks)
            _forget_old(connection, memory, written, now)
        return verdicts

    def audit(self, name: str, limit: int, workspace: int | None = None) -> list[AuditEntry]:
        """What was done to a domain, as long as it was of that workspace if one is named; the newest first."""
        columns = [domain_audit.c[field] for field in AuditEntry.__struct_fields__]
        wanted = select(*columns).where(domain_audit.c.domain == name).order_by(domain_audit.c.id.desc()).limit(limit)
        if workspace is not None:
            wanted = wanted.where(domain_audit.c.workspace == workspace)
        with self._database.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(wanted).mappings()]

    def newest_audit(self, limit: int) -> dict[int, int]:
        """What was done last to any domain: the number of each entry, and the workspace that it was done in."""
        wanted = select(domain_audit.c.id, domain_audit.c.workspace).order_by(domain_audit.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return {row.id: row.workspace for row in connection.execute(wanted)}

    def _recall(self, connection: Connection, batch: DecisionBatch, requests: Sequence[SendRequest], now: int) -> None:
        identities = batch.identities(requests)
        if identities:
            batch.remember({row.digest: row.verdict for row in _ANSWERED.rows(connection, identities)})
        keys = batch.keys(requests)
        if keys:
            rows = _KEYED.rows(connection, keys)
            batch.remember({row.digest: row.verdict for row in rows if row.answered_at > now - KEYS_MS})

    def _keep(self, connection: Connection, batch: DecisionBatch) -> Counter[Table]:
        """How many rows of tables that do not keep them for ever."""
        for old, new, entry in batch.changes():
            put_domain(connection, old, new)
            add_audit(connection, entry)
        sent, others = batch.counters()
        if sent:
            _PUT_SENT.many(connection, sent)
        if others:
            _PUT_COUNTERS.many(connection, others)
        if minutes := batch.minutes():
            self._add_minutes.many(connection, minutes)
        if fresh := batch.answers():
            self._put_answers.many(connection, fresh)
        if keyed := batch.keyed_answers():
            self._put_keyed.many(connection, keyed)
        return Counter({decision_minutes: len(minutes), answers: len(fresh), increment_keys: len(keyed)})


def _forget_old(connection: Connection, memory: Memory, written: Mapping[Table, int], now: int) -> None:
    """Of each table that was written to. Where nothing is left of what is too old now, nobody looks again at once."""
    gone = memory.of("forgotten")
    second = now // SECOND_MS * SECOND_MS
    for table, rows in written.items():
        column, kept = _KEPT[table]
        before = now // DAY_MS - kept if table is sender_days else second - kept
        if rows and gone.get(table) != before and not forget(connection, table, column, before, 2 * rows):
            gone[table] = before


def _held(connection: Connection, memory: Memory, names: Iterable[str]) -> list[tuple[Domain, Usage]]:
    """The domains of these names, their rows locked."""
    known = memory.of(_HELD)
    missing = [name for name in names if name not in known]
    if missing:
        known.update(dict.fromkeys(missing, ()))
        for row in _NAMED.rows(connection, missing):
            domain = domain_of(row)
            known[domain.name] = (*known[domain.name], (domain, usage_of(row)))
    return [held for name in names for held in known[name]]


def approved_locked(connection: Connection, name: str) -> tuple[Domain, Usage]:
    """Raises NotFound."""
    row = connection.execute(locked(WHOLE.where(domains.c.name == name, domains.c.approved))).one_or_none()
    if row is None:
        raise NotFound(f"there is no domain {name}")
    return domain_of(row), usage_of(row)


def _there(wanted: Select[Any], removed: bool) -> Select[Any]:
    return wanted if removed else wanted.where(domains.c.removed_at.is_(None))


def put_usage(connection: Connection, domain: Domain, usage: Usage) -> None:
    connection.execute(SET_COUNTERS, [{"row_id": domain.id} | counters_row(usage, "new_")])


def forget(connection: Connection, table: Table, column: str, before: int, limit: int) -> bool:
    """A few old rows for each new one, so that nobody ever waits for many. What another node forgets is left to it.

    Whether there may be more.
    """
    old, gone = _forgetting(table, column)
    rows = old.rows(connection, {"before": before, "at_most": limit})
    if rows:
        names = [f"old_{key.name}" for key in table.primary_key]
        gone.many(connection, [dict(zip(names, row, strict=True)) for row in rows])
    return len(rows) == limit


@cache
def _forgetting(table: Table, column: str) -> tuple[Prepared, Prepared]:
    keys: Any = list(table.primary_key)
    old = select(*keys).where(table.c[column] < bindparam("before")).limit(bindparam("at_most"))
    gone = delete(table).where(*(key == bindparam(f"old_{key.name}") for key in keys))
    return Prepared(old.with_for_update(skip_locked=True)), Prepared(gone)
