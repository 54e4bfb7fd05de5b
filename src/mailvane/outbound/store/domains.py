"""Sending domains in the ledger, and every decision on a mail.

A transaction locks the rows of the domains it speaks of, so nodes agree; where SQLite is the ledger, writers queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import NotFound
from mailvane.core.ledger.database import Database, Prepared, PreparedChoice
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.outbound.model import (
    AuditEntry,
    Domain,
    HeldDomain,
    Judge,
    LimitKind,
    LimitWindow,
    Reason,
    Revise,
    Revision,
    SenderLimit,
    SendRequest,
    Usage,
    Verdict,
    Watch,
    leading,
    there,
)
from mailvane.outbound.store.rows import (
    COUNTED,
    KNOWN,
    SET_COUNTERS,
    WHOLE,
    add_audit,
    apply_revision,
    counters_row,
    domain_of,
    locked,
    put_domain,
    read_usage,
    usage_of,
)
from mailvane.outbound.store.senders import LimitsOf, Refused, SenderCounters, SenderDays, no_limits
from mailvane.outbound.store.tables import (
    answers,
    decision_minutes,
    domain_audit,
    domains,
    increment_keys,
    limit_marks,
    sender_days,
)

_encoder = msgspec.msgpack.Encoder()


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was answered about a mail, and how much was counted for it."""

    verdict: Verdict
    units: int
    request: bytes = b""  # under a key: stands for what was asked


_decoder = msgspec.msgpack.Decoder(Answered)


def digest(domain: Domain, identity: str) -> bytes:
    """Stands for a mail or a message of one domain."""
    text = f"{domain.id}\x00{identity}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()


def _key_digest(domain: Domain, key: str) -> bytes:
    """Stands for a key of one workspace."""
    text = f"workspace {domain.workspace}\x00{key}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, person=b"idempotency").digest()


class DecisionBatch:
    """The domains that were asked about, their counters as they change, and the answers."""

    def __init__(
        self,
        held: Sequence[tuple[Domain, Usage]],
        now: int,
        watch: Watch | None = None,
        senders: SenderCounters | None = None,
    ) -> None:
        self._named: dict[str, list[Domain]] = {}
        for domain, _ in held:
            self._named.setdefault(domain.name, []).append(domain)
        self._before = {domain.id: usage for domain, usage in held}
        self._usages = dict(self._before)
        self._now = now
        self._answers: dict[bytes, Answered] = {}
        self._fresh: dict[bytes, Answered] = {}
        self._keyed: dict[bytes, Answered] = {}
        self._minutes: dict[int, list[int]] = {}
        self._watch = watch
        self._senders = senders or SenderCounters((), None, now, {})
        self._changes: list[tuple[Domain, Domain, AuditEntry]] = []

    def identities(self, requests: Sequence[SendRequest]) -> list[bytes]:
        """Of the mails that can be recognised when they are asked about again."""
        known = (self._identity(each, self._asked_of(each)) for each in requests if each.instance)
        return [identity for identity in known if identity]

    def keys(self, requests: Sequence[SendRequest]) -> list[bytes]:
        """Of the requests that came under a key."""
        known = ((self._asked_of(each), each.key) for each in requests if each.key)
        return [_key_digest(domain, key) for domain, key in known if domain is not None]

    def remember(self, answered: Mapping[bytes, bytes]) -> None:
        """What was answered in earlier transactions."""
        self._answers |= {identity: _decoder.decode(answer) for identity, answer in answered.items()}

    def decide(self, requests: Sequence[SendRequest], judge: Judge) -> list[Verdict]:
        return [self._answer(request, judge) for request in requests]

    def counters(self) -> list[dict[str, Any]]:
        """The rows of the counters that changed."""
        return [
            {"row_id": number} | counters_row(usage, "new_")
            for number, usage in self._usages.items()
            if usage is not self._before[number]
        ]

    def changes(self) -> list[tuple[Domain, Domain, AuditEntry]]:
        """The domains that changed, before and after, with what is to be written down of it."""
        return self._changes

    def minutes(self) -> list[dict[str, Any]]:
        minute = self._now // MINUTE_MS * MINUTE_MS
        return [
            {"domain": number, "minute": minute, "asked": asked, "allowed": allowed}
            for number, (asked, allowed) in self._minutes.items()
        ]

    def answers(self) -> list[dict[str, Any]]:
        return self._rows(self._fresh)

    def keyed_answers(self) -> list[dict[str, Any]]:
        return self._rows(self._keyed)

    def _rows(self, answered: Mapping[bytes, Answered]) -> list[dict[str, Any]]:
        return [
            {"digest": identity, "answered_at": self._now, "verdict": _encoder.encode(answer)}
            for identity, answer in answered.items()
        ]

    def _asked_of(self, request: SendRequest) -> Domain | None:
        """The domain that answers, if any."""
        named = self._named.get(request.domain, ())
        if len(named) == 1:
            return named[0] if _answers(named[0], request) else None
        return leading(domain for domain in named if _answers(domain, request))

    def _answer(self, request: SendRequest, judge: Judge) -> Verdict:
        domain = self._asked_of(request)
        if domain is None:
            return self._answer_unknown(request)
        if request.key:
            return self._answer_keyed(domain, request, judge)
        if not request.instance:
            return self._judge(domain, request, judge)
        identity = digest(domain, request.instance)
        known = self._fresh.get(identity) or self._answers.get(identity)
        units = request.counted_in(domain)
        if known is None:
            if request.is_look:
                verdict, _ = judge(domain, self._usages[domain.id], request, self._now)
                if verdict.allowed and not self._is_over(request, domain):
                    return verdict
            verdict = self._judge(domain, request, judge)
        elif known.units and units > known.units:
            verdict = self._judge(domain, request, judge, known.units)
        else:
            return known.verdict
        self._fresh[identity] = Answered(verdict, units if verdict.allowed else 0)
        return verdict

    def _identity(self, request: SendRequest, domain: Domain | None) -> bytes:
        """Of a mail; empty: it is not counted anywhere."""
        if domain is not None:
            return digest(domain, request.instance)
        limits = self._senders.of(request, None)
        return _sender_digest(limits[0], request.instance) if limits else b""

    def _is_over(self, request: SendRequest, domain: Domain | None) -> bool:
        return self._senders.refuses(self._senders.of(request, domain)) is not None

    def _answer_unknown(self, request: SendRequest) -> Verdict:
        """Of a mail of no governed domain: it passes, unless its sender has a limit of its own."""
        passed = Verdict(domain=request.domain, allowed=True, known=False)
        limits = self._senders.of(request, None)
        if not limits:
            return passed
        identity = _sender_digest(limits[0], request.instance) if request.instance else b""
        known = self._fresh.get(identity) or self._answers.get(identity)
        if known is not None:
            return known.verdict
        over = self._senders.refuses(limits)
        if request.is_look and not over:
            return passed
        if not over:
            self._senders.count(limits)
        verdict = _refused_of(passed, over, 0) if over else passed
        if identity:
            self._fresh[identity] = Answered(verdict, 0)
        return verdict

    def _answer_keyed(self, domain: Domain, request: SendRequest, judge: Judge) -> Verdict:
        identity = _key_digest(domain, request.key)
        content = digest(domain, request.content.hex())
        known = self._keyed.get(identity) or self._answers.get(identity)
        if known is None:
            known = Answered(self._judge(domain, request, judge), 0, content)
            self._keyed[identity] = known
        elif known.request != content:
            return Verdict(domain=domain.name, allowed=False, key_reused=True)
        return known.verdict

    def _judge(self, domain: Domain, request: SendRequest, judge: Judge, reserved: int = 0) -> Verdict:
        before = self._usages[domain.id]
        verdict, after = judge(domain, _without(before, reserved), request, self._now)
        # A mail that has passed at its beginning is counted for its sender already.
        limits = self._senders.of(request, domain) if verdict.allowed and not reserved else ()
        if over := self._senders.refuses(limits):
            verdict, after = _refused_of(verdict, over, request.counted_in(domain)), before
        else:
            self._senders.count(limits, domain)
            self._senders.count_domain(domain, before, after)
        self._usages[domain.id] = after
        if self._watch is not None and (after.bounces or after.complaints) and after.sent_month != before.sent_month:
            found = self._watch(domain, before, after, self._now)
            if found is not None:
                new, entry = found
                self._named[domain.name] = [new if each.id == new.id else each for each in self._named[domain.name]]
                self._changes.append((domain, new, entry))
        units = request.counted_in(domain) - reserved
        minute = self._minutes.setdefault(domain.id, [0, 0])
        minute[0] += units
        minute[1] += units if verdict.allowed else -reserved
        return verdict


_OF_DOMAIN = {LimitWindow.HOUR: Reason.HOURLY, LimitWindow.DAY: Reason.DAILY, LimitWindow.MONTH: Reason.MONTHLY}
_OF_SENDER = {LimitKind.MAILBOX: Reason.MAILBOX, LimitKind.LOGIN: Reason.LOGIN}


def _refused_of(verdict: Verdict, over: Refused, units: int) -> Verdict:
    """The verdict on a mail that passes its governed domain's limits, and not one of its sender."""
    today, month = verdict.sent_today - units, verdict.sent_month - units
    reason = _OF_SENDER.get(over.kind) or _OF_DOMAIN[over.window]
    return msgspec.structs.replace(
        verdict, allowed=False, soft=False, reason=reason, window=over.window, sent_today=today, sent_month=month
    )


def _sender_digest(limit: SenderLimit, instance: str) -> bytes:
    """Stands for a mail of one sender."""
    text = f"{limit.workspace}\x00{limit.name}\x00{instance}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, person=b"sender mail").digest()


def _answers(domain: Domain, request: SendRequest) -> bool:
    """Whether the domain is there for whoever asks."""
    if request.mail_server:
        return domain.approved
    return domain.removed_at is None and request.workspace in {None, domain.workspace}


def _without(usage: Usage, units: int) -> Usage:
    """Before so much was counted. A counter that has begun anew since then has nothing to give back."""
    if not units:
        return usage
    return msgspec.structs.replace(
        usage,
        sent_today=max(0, usage.sent_today - units),
        sent_this_hour=max(0, usage.sent_this_hour - units),
        sent_month=max(0, usage.sent_month - units),
    )


# A mail server asks again within one SMTP conversation, or when an answer was lost on the way.
_ANSWERS_MS = HOUR_MS
KEYS_MS = DAY_MS  # ours: for so long a request with a key is recognised
_SENDER_DAYS = 3  # ours: clocks of nodes differ by less
_MINUTES_MS = 100 * DAY_MS
_NAMES = 0x646F6D61696E73  # seeds the hash of a name, so that its lock is no other program's
_NAMED = PreparedChoice(lambda named: locked(WHOLE.where(named)), domains.c.name)
_COUNTED = COUNTED.where(domains.c.id.in_(bindparam("ids", expanding=True)))
_ANSWERED = PreparedChoice(select(answers.c.digest, answers.c.verdict).where, answers.c.digest)
_KEYED = PreparedChoice(
    select(increment_keys.c.digest, increment_keys.c.verdict, increment_keys.c.answered_at).where,
    increment_keys.c.digest,
)
_PUT_COUNTERS = Prepared(SET_COUNTERS)


class DomainStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database, limits_of: LimitsOf = no_limits) -> None:
        """`limits_of` is asked, within the transaction of a decision, which senders have limits of their own."""
        self._database = database
        self._senders = SenderDays(database, limits_of)
        new = database.insert(decision_minutes)
        self._add_minutes = Prepared(
            new.on_conflict_do_update(
                index_elements=["domain", "minute"],
                set_={
                    "asked": decision_minutes.c.asked + new.excluded.asked,
                    "allowed": decision_minutes.c.allowed + new.excluded.allowed,
                },
            )
        )
        self._put_answers = Prepared(database.upsert(answers))
        self._put_keyed = Prepared(database.upsert(increment_keys))

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
        self, requests: Sequence[SendRequest], now: int, judge: Judge, watch: Watch | None = None
    ) -> list[Verdict]:
        """Judge them one after the other in one transaction and keep the counters; the answers in the same order.

        A request whose instance was answered before gets that answer again and is not counted again. Decisions are
        added to the minutes that `decisions` reads. A domain that is not of the workspace that the request names is
        not known. Mail servers know the approved one of a name, others none that was removed. What `watch` says of a
        domain holds for the passages after that one.
        """
        names = list({request.domain for request in requests})
        with self._database.write() as connection:
            rows = _NAMED.rows(connection, names)
            senders = self._senders.held(connection, requests, now)
            batch = DecisionBatch([(domain_of(row), usage_of(row)) for row in rows], now, watch, senders)
            self._recall(connection, batch, requests, now)
            verdicts = batch.decide(requests, judge)
            self._keep(connection, batch, now)
            changed = self._senders.keep(connection, senders)
            forget(connection, sender_days, "day", now // DAY_MS - _SENDER_DAYS, 2 * changed)
            forget(connection, limit_marks, "at", now - _SENDER_DAYS * DAY_MS, 2 * len(senders.marks))
        return verdicts

    def audit(self, name: str, limit: int, workspace: int | None = None) -> list[AuditEntry]:
        """What was done to a domain, as long as it was of that workspace if one is named; the newest first."""
        columns = [domain_audit.c[field] for field in AuditEntry.__struct_fields__]
        wanted = select(*columns).where(domain_audit.c.domain == name).order_by(domain_audit.c.id.desc()).limit(limit)
        if workspace is not None:
            wanted = wanted.where(domain_audit.c.workspace == workspace)
        with self._database.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(wanted).mappings()]

    def _recall(self, connection: Connection, batch: DecisionBatch, requests: Sequence[SendRequest], now: int) -> None:
        identities = batch.identities(requests)
        if identities:
            batch.remember({row.digest: row.verdict for row in _ANSWERED.rows(connection, identities)})
        keys = batch.keys(requests)
        if keys:
            rows = _KEYED.rows(connection, keys)
            batch.remember({row.digest: row.verdict for row in rows if row.answered_at > now - KEYS_MS})

    def _keep(self, connection: Connection, batch: DecisionBatch, now: int) -> None:
        for old, new, entry in batch.changes():
            put_domain(connection, old, new)
            add_audit(connection, entry)
        if counters := batch.counters():
            _PUT_COUNTERS.many(connection, counters)
        if minutes := batch.minutes():
            self._add_minutes.many(connection, minutes)
            forget(connection, decision_minutes, "minute", now - _MINUTES_MS, 2 * len(minutes))
        if fresh := batch.answers():
            self._put_answers.many(connection, fresh)
            forget(connection, answers, "answered_at", now - _ANSWERS_MS, 2 * len(fresh))
        if keyed := batch.keyed_answers():
            self._put_keyed.many(connection, keyed)
            forget(connection, increment_keys, "answered_at", now - KEYS_MS, 2 * len(keyed))


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


def forget(connection: Connection, table: Table, column: str, before: int, limit: int) -> None:
    """A few old rows for each new one, so that nobody ever waits for many. What another node forgets is left to it."""
    old, gone = _forgetting(table, column)
    rows = old.rows(connection, {"before": before, "at_most": limit})
    if rows:
        names = [f"old_{key.name}" for key in table.primary_key]
        gone.many(connection, [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _forgetting(table: Table, column: str) -> tuple[Prepared, Prepared]:
    keys: Any = list(table.primary_key)
    old = select(*keys).where(table.c[column] < bindparam("before")).limit(bindparam("at_most"))
    gone = delete(table).where(*(key == bindparam(f"old_{key.name}") for key in keys))
    return Prepared(old.with_for_update(skip_locked=True)), Prepared(gone)
