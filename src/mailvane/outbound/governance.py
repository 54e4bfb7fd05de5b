"""Outbound governance: sending domains, what they may send, and what becomes of bounces and complaints.

One door for every surface. It decides with the rules of `admission` and keeps nothing itself; whose domain a caller
may see is for the surface to compare, by `Domain.workspace`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.moments import HOUR_MS
from mailvane.core.names import checked_name, looked_up_name
from mailvane.core.tenants.store import TenantStore
from mailvane.outbound.admission.charging import Charge, charged, month_text
from mailvane.outbound.admission.counters import day_reset, month_reset, month_start, today
from mailvane.outbound.admission.decision import judge_by
from mailvane.outbound.admission.replay import Limits, Replay, replay
from mailvane.outbound.admission.rules import GovernanceRules, crossing
from mailvane.outbound.domain_changes import (
    Author,
    action_of,
    changed,
    counting_anew,
    expecting,
    read_changes,
    with_probation,
)
from mailvane.outbound.domain_claims import DISPLACED, Note, altered, approved, made, proven, removed, rewritten
from mailvane.outbound.model import (
    DEFAULT_WORKSPACE,
    AuditEntry,
    BillingPeriod,
    Domain,
    Feedback,
    MinuteOfDecisions,
    MonthTally,
    OutboundStatus,
    ProofBegun,
    Revise,
    SendRequest,
    Usage,
    Verdict,
    Verification,
)
from mailvane.outbound.store.billing import BillingStore
from mailvane.outbound.store.domains import DomainStore

_MOST_UNITS = 1_000_000
_LONGEST_KEY = 255
SERVER = "server"  # the actor of what no key and no command asked for
GUILLOTINE = "guillotine"  # the actor of a suspension that nobody asked for


class Governance:
    """Safe to share between threads and, with their ledger, between processes."""

    def __init__(
        self, domains: DomainStore, periods: BillingStore, tenants: TenantStore, rules: GovernanceRules
    ) -> None:
        self._domains = domains
        self._periods = periods
        self._tenants = tenants
        self._rules = rules
        self._judge = judge_by(rules)

    @property
    def rules(self) -> GovernanceRules:
        return self._rules

    def decide(self, requests: Sequence[SendRequest], now: int) -> list[Verdict]:
        """May these mails pass? One durable transaction; the answers in the same order. Raises StoreUnavailable."""
        asked = [_acceptable(request) for request in requests]
        return self._domains.decide(asked, now, self._judge, self._watched, self._rules.suppression)

    def domain(self, name: str, workspace: int | None = None) -> Domain:
        """What a workspace has of that name; without one, the approved domain, else what was claimed first.

        Raises NotFound, also for one that was removed.
        """
        canonical = looked_up_name(name)
        found = self._domains.domain(canonical, workspace) if canonical else None
        if found is None:
            raise _unknown(name)
        return found

    def governed(self, name: str) -> Domain:
        """The domain that mail of that name counts for: the approved one, also when it was removed, until it is billed.

        Raises NotFound.
        """
        canonical = looked_up_name(name)
        found = self._domains.approved_domain(canonical) if canonical else None
        if found is None:
            raise _unknown(name)
        return found

    def domains(self, workspace: int | None = None, removed: bool = False) -> list[Domain]:
        """The newest first. `removed`: also those that were removed and are not billed yet."""
        return self._domains.domains(workspace, removed)

    def domains_made_since(self, workspace: int, since: int) -> list[Domain]:
        """Those of a workspace that were created then or later; the newest first."""
        return self._domains.domains_made_since(workspace, since)

    def domain_count(self, workspace: int) -> int:
        """How many a workspace has; one that was removed does not count."""
        return self._domains.domain_count(workspace)

    def create(
        self, name: str, workspace: int | None, now: int, *, actor: str = SERVER, approved: bool = True
    ) -> Domain:
        """A domain; without a workspace, of nobody in particular. One that was removed goes on as it was.

        Not approved, it is a claim, which holds for its own workspace only. Raises InvalidInput, AlreadyExists,
        NotFound.
        """
        canonical = checked_name(name)
        owner = self._default_workspace(now) if workspace is None else workspace
        new = Domain(id=0, workspace=owner, name=canonical, created_at=now, approved=approved)
        return self._domains.revise(canonical, partial(made, new=new, note=_noting(actor, now)))[0]

    def remove(
        self, name: str, actor: str, now: int, *, workspace: int | None = None, stopped_too: bool = True
    ) -> None:
        """What it may send, has sent and owes is kept until its period is billed.

        Raises NotFound; NotAllowed for a suspended one unless `stopped_too`.
        """
        found = self.domain(name, workspace)
        note = _noting(actor, now)
        removing = partial(removed, workspace=found.workspace, now=now, note=note, stopped_too=stopped_too)
        self._domains.revise(found.name, removing)

    def approve(self, name: str, actor: str, now: int, workspace: int | None = None) -> Domain:
        """The domain is that workspace's: it holds for mail servers and feedback, and other claims give way.

        Raises NotFound, InvalidInput when several claim it, AlreadyExists when it is another workspace's.
        """
        found = self.domain(name, workspace)
        approving = partial(approved, workspace=workspace, note=_noting(actor, now))
        return self._domains.revise(found.name, approving)[0]

    def change(
        self, name: str, changes: Mapping[str, object], actor: str, now: int, workspace: int | None = None
    ) -> Domain:
        """Set fields of a domain, by the names of `Domain`; nothing changes when one is refused.

        Raises NotFound, InvalidInput; AlreadyExists when it is to be approved and is another workspace's.
        """
        return self.change_by(name, changes, Author(actor, now, workspace))

    def change_by(self, name: str, changes: Mapping[str, object], by: Author) -> Domain:
        """As `change`; raises ChangedMeanwhile, too."""
        given = read_changes(changes)
        old = self.domain(name, by.workspace)
        if given.get("workspace", old.workspace) != old.workspace:
            given["approved"] = True  # whoever gives it to somebody has said whose it is
        new = changed(old, given, by.expects)
        if new == old:
            return old
        differing = [field for field in given if getattr(new, field) != getattr(old, field)]
        evidence = {field: [getattr(old, field), getattr(new, field)] for field in differing}
        entry = _entry(old, by.now, action_of(differing, new), by.name, evidence)
        revise: Revise | None = None
        if "workspace" in differing or "approved" in differing:
            revise = partial(altered, workspace=old.workspace, given=given, note=_noting(by.name, by.now), entry=entry)
        elif "status" in given:
            revise = partial(rewritten, workspace=old.workspace, given=given, entry=entry)
        if revise is None:
            changing = partial(changed, given=given, expects=by.expects)
            return self._domains.change_domain(old.name, changing, entry, old.workspace)
        anew = partial(counting_anew, revise=revise, now=by.now)
        seen = partial(expecting, revise=anew, workspace=old.workspace, expects=by.expects)
        return self._domains.revise(old.name, seen)[0]

    def probation(self, name: str, daily: int, by: Author) -> Domain:
        """So many mails a day pass while the domain is suspended; 0: none. Raises as `change_by`."""
        domain = self.domain(name, by.workspace)
        return self.change_by(name, {"guillotine": with_probation(domain, self._rules.guillotine, daily)}, by)

    def stopping(self, domain: Domain, changes: Mapping[str, object]) -> dict[str, object]:
        """The changes as the master means them: a claim that is stopped is to be stopped for mail servers, too.

        So it is approved, unless the domain is another workspace's.
        """
        stops = changes.get("closed") is True or changes.get("status") is OutboundStatus.SUSPENDED
        held = self._domains.approved_domain(domain.name) if stops and not domain.approved else domain
        free = held is None or held.removed_at is not None
        return {**changes, "approved": True} if free else dict(changes)

    def usage_today(self, name: str, now: int, workspace: int | None = None) -> Usage:
        """The counters of a domain, brought to this time. Raises NotFound."""
        domain = self.domain(name, workspace)
        return self.usages_today([domain], now)[domain.id]

    def usages_today(self, domains: Sequence[Domain], now: int) -> dict[int, Usage]:
        """The counters of those domains that there are, by id, brought to this time."""
        usages = self._domains.usage([domain.id for domain in domains])
        return {number: today(usage, now) for number, usage in usages.items()}

    def verification_started(
        self, name: str, begun: ProofBegun, actor: str, now: int, workspace: int | None = None
    ) -> Domain:
        """From now on nothing is sent from this domain until it is verified. Raises NotFound."""
        domain = self.domain(name, workspace)
        entry = _entry(domain, now, "verification_started", actor, {"dkim_tokens": begun.dkim_tokens})

        def pending(old: Domain) -> Domain:
            return msgspec.structs.replace(
                old,
                verification=Verification.PENDING,
                verification_token=begun.token,
                dkim_tokens=begun.dkim_tokens,
                own_proof=begun.own or (old.own_proof and old.verification_token == begun.token),
            )

        return self._domains.change_domain(domain.name, pending, entry, domain.workspace)

    def verified(self, name: str, actor: str, now: int, workspace: int | None = None) -> Domain:
        """The proof succeeded; a claim that it was begun for is approved by it. Raises NotFound."""
        domain = self.domain(name, workspace)
        if domain.verification is Verification.VERIFIED and (domain.approved or not domain.own_proof):
            return domain
        proving = partial(proven, workspace=domain.workspace, note=_noting(actor, now))
        return self._domains.revise(domain.name, proving)[0]

    def feedback(self, name: str, feedback: Feedback, now: int) -> bool:
        """Count bounces and complaints, once per message id, and suspend the domain that crosses its line by them.

        They count in the month in which their mail was sent. False when the message was counted before, when the domain
        is unknown, or when that month is long over.
        """
        canonical = looked_up_name(name)
        if not canonical:
            return False
        counted: list[bool] = []

        def change(domain: Domain, usage: Usage) -> tuple[Domain, Usage, AuditEntry | None]:
            charge = charged(usage, feedback, now)
            counted.append(charge is not None)
            return (domain, usage, None) if charge is None else self._charged(domain, charge, feedback, now)

        return self._periods.feedback(canonical, feedback.message_id, change, now) and counted[-1]

    def reset_daily(self, now: int) -> int:
        """Nothing sent today, for every domain; how many there are."""
        return self._periods.reset_day(partial(day_reset, now=now))

    def reset_monthly(self, now: int, key: str | None = None) -> BillingPeriod:
        """Freeze every domain's month for billing, then begin anew; a key that was used before gives that freeze."""
        if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
            raise InvalidInput(f"an idempotency key is 1 to {_LONGEST_KEY} visible ASCII characters")
        return self._periods.close_month(now, key, partial(month_reset, now=now))

    def periods(self, limit: int) -> list[BillingPeriod]:
        """The newest first."""
        return self._periods.periods(limit)

    def audit(self, name: str, limit: int, workspace: int | None = None) -> list[AuditEntry]:
        """What was done to a domain, the newest first; also to one that was removed.

        With a workspace, what was done while the domain was of that workspace.
        """
        canonical = looked_up_name(name)
        return self._domains.audit(canonical, limit, workspace) if canonical else []

    def decided(self, domain: Domain, since: int, until: int) -> list[MinuteOfDecisions]:
        """What was decided of its mail from `since` to before `until`, minute by minute, the oldest first."""
        return self._periods.decisions(domain.id, since, until)

    def decided_days(self, domain: Domain, since: int, until: int) -> dict[int, int]:
        """How much of its mail was allowed on each day of UTC, by its start; days without any are left out."""
        return self._periods.decided_days(domain.id, since, until)

    def what_if(
        self,
        name: str,
        since: int,
        until: int,
        limits: Limits,
        logged: Iterable[MinuteOfDecisions] = (),
        workspace: int | None = None,
    ) -> Replay:
        """What other limits would have stopped of the mail that this domain asked to send. Raises NotFound.

        `logged` is what the mail log knows to have been sent since the beginning of that month: it stands for the time
        before the first decision was recorded.
        """
        domain = self.domain(name, workspace)
        # A month's limit is met by the mail of the whole month, also of the days before those asked about.
        minutes = self._periods.decisions(domain.id, month_start(since), until)
        first = minutes[0].minute if minutes else until
        earlier = [each for each in logged if each.minute + HOUR_MS <= first]
        found = replay(domain, [*earlier, *minutes], limits, since)
        return msgspec.structs.replace(found, from_log=sum(each.asked for each in earlier if each.minute >= since))

    def _default_workspace(self, now: int) -> int:
        found = self._tenants.workspace_named(DEFAULT_WORKSPACE)
        if found is not None:
            return found.id
        try:
            return self._tenants.add_workspace(DEFAULT_WORKSPACE, now).id
        except AlreadyExists:
            return self._default_workspace(now)

    def _charged(
        self, domain: Domain, charge: Charge, feedback: Feedback, now: int
    ) -> tuple[Domain, Usage, AuditEntry | None]:
        facts: dict[str, object] = {"message_id": feedback.message_id, "notification": dict(feedback.evidence)}
        if charge.after.month != charge.usage.month:
            facts["month"] = month_text(charge.after)
        found = self._line_crossed(domain, charge.before, charge.after, facts, now)
        return (domain, charge.usage, None) if found is None else (found[0], charge.usage, found[1])

    def _watched(self, domain: Domain, before: Usage, after: Usage, now: int) -> tuple[Domain, AuditEntry] | None:
        """A rule that waits for mail is judged when mail is counted, too."""
        return self._line_crossed(domain, today(before, now), after, {"counted": "mail"}, now)

    def _line_crossed(
        self, domain: Domain, before: Usage | MonthTally, after: Usage | MonthTally, facts: dict[str, object], now: int
    ) -> tuple[Domain, AuditEntry] | None:
        rule = self._rules.guillotine_of(domain)
        crossed = crossing(after, rule)
        if crossed is None or domain.status is OutboundStatus.SUSPENDED:
            return None
        evidence = {"crossed": crossed, "rule": rule, **facts}
        if rule.warn_only:
            # Said when the line is crossed, not again with every bounce beyond it.
            return None if crossing(before, rule) else (domain, _entry(domain, now, "warned", GUILLOTINE, evidence))
        stopped = msgspec.structs.replace(domain, status=OutboundStatus.SUSPENDED)
        return stopped, _entry(domain, now, "suspended", GUILLOTINE, evidence)


def _acceptable(request: SendRequest) -> SendRequest:
    """In the form that the store knows: one request must not spoil the transaction of those decided with it."""
    name = looked_up_name(request.domain)
    if name == request.domain and request.units <= _MOST_UNITS:
        return request
    return msgspec.structs.replace(request, domain=name, units=min(request.units, _MOST_UNITS))


def _noting(actor: str, now: int) -> Note:
    def note(domain: Domain, action: str, evidence: Mapping[str, object]) -> AuditEntry:
        # A workspace that loses its claim is not told by which key of another one.
        return _entry(domain, now, action, SERVER if action == DISPLACED else actor, evidence)

    return note


def _entry(domain: Domain, now: int, action: str, actor: str, evidence: Mapping[str, object]) -> AuditEntry:
    return AuditEntry(
        domain=domain.name,
        workspace=domain.workspace,
        at=now,
        action=action,
        actor=actor,
        evidence=msgspec.json.encode(evidence).decode(),
    )


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no domain {name[:80]!r}")
