"""What is looked up with every decision: suppressed recipients, and domains and logins on hold.

Both say something about single requests, whatever the limits of a domain are: a recipient that is refused does not
count, and its mail goes on to the other recipients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from mailvane.core.ledger.database import Database, Prepared, PreparedChoice
from mailvane.core.ledger.memory import Memory
from mailvane.core.moments import DAY_MS
from mailvane.outbound.holds import HoldKind
from mailvane.outbound.model import Domain, Judge, Reason, SendRequest, Verdict
from mailvane.outbound.store.decision_batch import DecisionBatch, mail_digest
from mailvane.outbound.store.tables import answers, holds, suppression_days, suppressions
from mailvane.outbound.suppression import SuppressionMode, SuppressionReason, SuppressionRules

_LISTED = PreparedChoice(
    select(
        suppressions.c.address,
        suppressions.c.workspace,
        suppressions.c.reason,
        suppressions.c.noticed_at,
        suppressions.c.expires_at,
    ).where,
    suppressions.c.address,
)
_FEW = 64
_FIRST_HELD = Prepared(select(holds.c.kind, holds.c.name).limit(_FEW))
_HELD = PreparedChoice(select(holds.c.kind, holds.c.name).where, holds.c.name)
_SEEN = PreparedChoice(select(answers.c.digest).where, answers.c.digest)
_RANK = {reason: rank for rank, reason in enumerate(SuppressionReason)}


class Met(msgspec.Struct, frozen=True, gc=False):
    """A mail met a suppressed recipient."""

    workspace: int
    address: str
    reason: SuppressionReason
    refused: bool
    digest: bytes  # of mail and recipient; empty: the mail cannot be recognised when it is asked about again


class Screen:
    """Of one transaction."""

    def __init__(
        self,
        listed: Mapping[tuple[str, int], SuppressionReason],
        held: frozenset[tuple[str, str]],
        rules: SuppressionRules,
        now: int,
    ) -> None:
        self._listed = listed
        self._held = held
        self._refuses = rules.mode is SuppressionMode.REFUSE
        self.now = now
        self.met: list[Met] = []

    def decide(self, batch: DecisionBatch, requests: Sequence[SendRequest], judge: Judge) -> list[Verdict]:
        """In their order."""
        if not self._listed and not self._held:
            return batch.decide(requests, judge)
        return [self._answer(batch, request, judge) for request in requests]

    def _answer(self, batch: DecisionBatch, request: SendRequest, judge: Judge) -> Verdict:
        held = self._held_by(request)
        domain = batch.asked_of(request)
        found = () if domain is None else tuple(self._suppressed(domain, request))
        if not batch.answered_under_key(request):
            if found and self._refuses:
                self._note(request, found)
                return msgspec.structs.replace(
                    batch.look(request, judge),
                    allowed=False,
                    reason=Reason.SUPPRESSED,
                    suppressed_by=found[0].reason.value,
                )
            if held and not request.mail_server:
                return msgspec.structs.replace(batch.look(request, judge), allowed=False, reason=Reason.HELD)
        verdict = batch.decide([request], judge)[0]
        if not verdict.allowed or (not request.mail_server and not found):
            return verdict
        if found:
            self._note(request, found)
            verdict = msgspec.structs.replace(
                verdict, reason=Reason.SUPPRESSED, soft=True, suppressed_by=found[0].reason.value
            )
        if held is None:
            return verdict
        is_login = held is HoldKind.LOGIN
        return msgspec.structs.replace(verdict, reason=Reason.HELD, soft=False, held=True, login_held=is_login)

    def _held_by(self, request: SendRequest) -> HoldKind | None:
        """What of the mail is on hold."""
        names = ((HoldKind.DOMAIN, request.domain), (HoldKind.LOGIN, request.login))
        return next((kind for kind, name in names if (kind, name) in self._held), None)

    def _suppressed(self, domain: Domain, request: SendRequest) -> Iterator[Met]:
        for address in request.recipients:
            reason = self._listed.get((address, domain.workspace))
            if reason is not None:
                yield Met(domain.workspace, address, reason, self._refuses, _digest(domain, request, address))

    def _note(self, request: SendRequest, found: Sequence[Met]) -> None:
        known = {each.digest for each in self.met if each.digest} if request.instance else frozenset()
        self.met.extend(each for each in found if each.digest not in known)


class Screening:
    """In the ledger."""

    def __init__(self, database: Database) -> None:
        self._seen = Prepared(database.upsert(answers))
        new = database.insert(suppression_days)
        self._count_day = Prepared(
            new.on_conflict_do_update(
                index_elements=["day", "workspace", "reason"],
                set_={
                    "spared": suppression_days.c.spared + new.excluded.spared,
                    "warned": suppression_days.c.warned + new.excluded.warned,
                },
            )
        )
        own = (suppressions.c.address == bindparam("its_address")) & (suppressions.c.workspace == bindparam("of"))
        self._count = Prepared(
            update(suppressions)
            .where(own & (suppressions.c.reason == bindparam("its_reason")))
            .values(
                spared=suppressions.c.spared + bindparam("more_spared"),
                warned=suppressions.c.warned + bindparam("more_warned"),
            )
        )

    def held(
        self,
        connection: Connection,
        memory: Memory,
        requests: Sequence[SendRequest],
        rules: SuppressionRules,
        now: int,
    ) -> Screen:
        """What is said of the recipients and senders of these requests."""
        known_holds = memory.of("holds")
        if "first" not in known_holds:
            known_holds["first"] = _FIRST_HELD.rows(connection, {})
        rows = known_holds["first"]
        if len(rows) == _FEW:  # there may be more; mostly there is none, and nothing to compare
            names = {name for request in requests for name in (request.domain, request.login) if name}
            rows = _HELD.rows(connection, sorted(names))
        found = frozenset((row.kind, row.name) for row in rows)
        listed: dict[tuple[str, int], SuppressionReason] = {}
        if rules.mode is not SuppressionMode.OFF:
            addresses = sorted({address for request in requests for address in request.recipients})
            known = memory.rows("suppressions", connection, _LISTED, addresses)
            for row in (row for address in addresses for row in known[address]):
                reason = SuppressionReason(row.reason)
                place = (row.address, row.workspace)
                if rules.holds(reason, row.noticed_at, row.expires_at, now) and (
                    place not in listed or _RANK[reason] < _RANK[listed[place]]
                ):
                    listed[place] = reason
        return Screen(listed, found, rules, now)

    def keep(self, connection: Connection, screen: Screen) -> int:
        """Count who was spared, a mail and recipient once; how many answers were kept."""
        if not screen.met:
            return 0
        digests = sorted({each.digest for each in screen.met if each.digest})
        seen = {bytes(row.digest) for row in _SEEN.rows(connection, digests)}
        fresh = [each for each in screen.met if each.digest not in seen]
        rows = [{"digest": each, "answered_at": screen.now, "verdict": b""} for each in digests if each not in seen]
        if rows:
            self._seen.many(connection, rows)
        day = screen.now // DAY_MS
        ordered = sorted(fresh, key=lambda each: (each.address, each.workspace, each.reason))
        if ordered:
            self._count.many(
                connection,
                [
                    {
                        "its_address": each.address,
                        "of": each.workspace,
                        "its_reason": each.reason.value,
                        "more_spared": int(each.refused),
                        "more_warned": int(not each.refused),
                    }
                    for each in ordered
                ],
            )
            self._count_day.many(connection, _days(ordered, day))
        return len(rows)


def _days(met: Sequence[Met], day: int) -> list[dict[str, object]]:
    """A row for each workspace and reason: an upsert names a row once."""
    counts: dict[tuple[int, str], list[int]] = {}
    for each in met:
        counted = counts.setdefault((each.workspace, each.reason.value), [0, 0])
        counted[0 if each.refused else 1] += 1
    return [
        {"day": day, "workspace": workspace, "reason": reason, "spared": spared, "warned": warned}
        for (workspace, reason), (spared, warned) in sorted(counts.items())
    ]


def _digest(domain: Domain, request: SendRequest, address: str) -> bytes:
    """Stands for a mail and one of its recipients; empty when nothing names the mail."""
    if not request.instance:
        return b""
    return mail_digest(request, f"{domain.id}\x00{request.instance}\x00{address}", b"suppressed")
