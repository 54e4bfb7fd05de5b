"""Outbound governance: sending domains, what they may send, and what becomes of bounces and complaints.

One door for every surface. It decides with the rules of `admission` and keeps nothing itself; whose domain a caller
may see is for the surface to compare, by `Domain.workspace`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from mailvane.admission.counters import day_reset, month_reset, month_start, today
from mailvane.admission.decision import judge_by
from mailvane.admission.guillotine import crossing
from mailvane.admission.replay import Limits, Replay, replay
from mailvane.admission.rules import GovernanceRules
from mailvane.domain.names import canonical_name
from mailvane.domain.outbound import (
    DEFAULT_WORKSPACE,
    HOUR_MS,
    AuditEntry,
    Domain,
    OutboundStatus,
    Passage,
    Usage,
    Verdict,
    Verification,
)
from mailvane.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.services.domain_changes import action_of, changed, checked_name, read_changes
from mailvane.services.domain_claims import Note, made, removed
from mailvane.storage.domains import BillingPeriod, Domains, MinuteOfDecisions, Periods
from mailvane.storage.interface import Tenants

_MOST_UNITS = 1_000_000
_LONGEST_KEY = 255
SERVER = "server"  # the actor of what no key and no command asked for
GUILLOTINE = "guillotine"  # the actor of a suspension that nobody asked for


class Governance:
    """Safe to share between threads and, with their ledger, between processes."""

    def __init__(self, domains: Domains, periods: Periods, tenants: Tenants, rules: GovernanceRules) -> None:
        self._domains = domains
        self._periods = periods
        self._tenants = tenants
        self._rules = rules
        self._judge = judge_by(rules)

    @property
    def rules(self) -> GovernanceRules:
        return self._rules

    def decide(self, passages: Sequence[Passage], now: int) -> list[Verdict]:
        """May these mails pass? One durable transaction; the answers in the same order. Raises StoreUnavailable."""
        return self._domains.decide([_acceptable(passage) for passage in passages], now, self._judge)

    def domain(self, name: str) -> Domain:
        """Raises NotFound, also for one that was removed."""
        return self._found(name, removed=False)

    def governed(self, name: str) -> Domain:
        """Also one that was removed, until its period is billed: its mail is still under way. Raises NotFound."""
        return self._found(name, removed=True)

    def domains(self, workspace: int | None = None, removed: bool = False) -> list[Domain]:
        """The newest first. `removed`: also those that were removed and are not billed yet."""
        return self._domains.domains(workspace, removed)

    def create(self, name: str, workspace: int | None, now: int, *, actor: str = SERVER) -> Domain:
        """A domain; without a workspace, of nobody in particular. One that was removed goes on as it was.

        Raises InvalidInput, AlreadyExists, NotFound.
        """
        canonical = checked_name(name)
        owner = self._default_workspace(now) if workspace is None else workspace
        new, note = Domain(id=0, workspace=owner, name=canonical, created_at=now), _noting(actor, now)
        return self._domains.revise(canonical, partial(made, new=new, note=note))[0]

    def remove(self, name: str, actor: str, now: int, *, stopped_too: bool = True) -> None:
        """What it may send, has sent and owes is kept until its period is billed.

        Raises NotFound; NotAllowed for a suspended one unless `stopped_too`.
        """
        found = self.domain(name)
        removing = partial(removed, now=now, note=_noting(actor, now), stopped_too=stopped_too)
        self._domains.revise(found.name, removing)

    def change(self, name: str, changes: Mapping[str, object], actor: str, now: int) -> Domain:
        """Set fields of a domain, by the names of `Domain`; nothing changes when one is refused.

        Raises NotFound, InvalidInput.
        """
        given = read_changes(changes)
        old = self.domain(name)
        new = changed(old, given)
        if new == old:
            return old
        differing = [field for field in given if getattr(new, field) != getattr(old, field)]
        evidence = {field: [getattr(old, field), getattr(new, field)] for field in differing}
        entry = _entry(old, now, action_of(differing, new), actor, evidence)
        return self._domains.change_domain(old.name, partial(changed, given=given), entry)

    def usage_today(self, name: str, now: int) -> Usage:
        """The counters of a domain, brought to this time. Raises NotFound."""
        return self.usages_today([self.domain(name).name], now)[canonical_name(name)]

    def usages_today(self, names: Sequence[str], now: int) -> dict[str, Usage]:
        """The counters of those domains that there are, brought to this time; names as stored."""
        return {name: today(usage, now) for name, usage in self._domains.usage(names).items()}

    def verification_started(self, name: str, token: str, dkim_tokens: Sequence[str], actor: str, now: int) -> Domain:
        """From now on nothing is sent from this domain until it is verified. Raises NotFound."""
        tokens = tuple(dkim_tokens)
        entry = _entry(self.domain(name), now, "verification_started", actor, {"dkim_tokens": tokens})
        fields = {"verification": Verification.PENDING, "verification_token": token, "dkim_tokens": tokens}
        return self._domains.change_domain(entry.domain, partial(changed, given=fields), entry)

    def verified(self, name: str, actor: str, now: int) -> Domain:
        """Raises NotFound."""
        domain = self.domain(name)
        if domain.verification is Verification.VERIFIED:
            return domain
        entry = _entry(domain, now, "verified", actor, {})
        return self._domains.change_domain(
            domain.name, partial(changed, given={"verification": Verification.VERIFIED}), entry
        )

    def feedback(
        self, name: str, bounces: int, complaints: int, evidence: Mapping[str, object], message_id: str, now: int
    ) -> bool:
        """Count bounces and complaints, once per message id, and suspend the domain that crosses its line by them.

        `evidence` is kept with a suspension. False when the message was counted before or the domain is unknown.
        """
        canonical = canonical_name(name)
        if not canonical:
            return False
        told = _Feedback(bounces=bounces, complaints=complaints, evidence=evidence, message_id=message_id)
        return self._periods.feedback(canonical, message_id, partial(self._judged, told=told, now=now), now)

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
        canonical = canonical_name(name)
        return self._domains.audit(canonical, limit, workspace) if canonical else []

    def what_if(
        self, name: str, since: int, until: int, limits: Limits, logged: Iterable[MinuteOfDecisions] = ()
    ) -> Replay:
        """What other limits would have stopped of the mail that this domain asked to send. Raises NotFound.

        `logged` is what the mail log knows to have been sent since the beginning of that month: it stands for the time
        before the first decision was recorded.
        """
        domain = self.domain(name)
        # A month's limit is met by the mail of the whole month, also of the days before those asked about.
        minutes = self._periods.decisions(domain.name, month_start(since), until)
        first = minutes[0].minute if minutes else until
        earlier = [each for each in logged if each.minute + HOUR_MS <= first]
        found = replay(domain, [*earlier, *minutes], limits, since)
        return msgspec.structs.replace(found, from_log=sum(each.asked for each in earlier if each.minute >= since))

    def _found(self, name: str, *, removed: bool) -> Domain:
        canonical = canonical_name(name)
        found = self._domains.domain(canonical, removed) if canonical else None
        if found is None:
            raise _unknown(name)
        return found

    def _default_workspace(self, now: int) -> int:
        found = next((each for each in self._tenants.workspaces() if each.name == DEFAULT_WORKSPACE), None)
        if found is not None:
            return found.id
        try:
            return self._tenants.add_workspace(DEFAULT_WORKSPACE, now).id
        except AlreadyExists:
            return self._default_workspace(now)

    def _judged(
        self, domain: Domain, usage: Usage, told: _Feedback, now: int
    ) -> tuple[Domain, Usage, AuditEntry | None]:
        before = today(usage, now)
        after = msgspec.structs.replace(
            before, bounces=before.bounces + told.bounces, complaints=before.complaints + told.complaints
        )
        rule = self._rules.guillotine_of(domain)
        crossed = crossing(after, rule)
        if crossed is None or domain.status is OutboundStatus.SUSPENDED:
            return domain, after, None
        facts: dict[str, object] = {"crossed": crossed, "rule": rule, "message_id": told.message_id}
        facts["notification"] = dict(told.evidence)
        if rule.warn_only:
            # Said when the line is crossed, not again with every bounce beyond it.
            entry = None if crossing(before, rule) else _entry(domain, now, "warned", GUILLOTINE, facts)
            return domain, after, entry
        stopped = msgspec.structs.replace(domain, status=OutboundStatus.SUSPENDED)
        return stopped, after, _entry(domain, now, "suspended", GUILLOTINE, facts)


class _Feedback(msgspec.Struct, frozen=True, kw_only=True):
    bounces: int
    complaints: int
    evidence: Mapping[str, Any]
    message_id: str


def _acceptable(passage: Passage) -> Passage:
    """In the form that the store knows: one request must not spoil the transaction of those decided with it."""
    name = canonical_name(passage.domain)
    if name == passage.domain and passage.units <= _MOST_UNITS:
        return passage
    return msgspec.structs.replace(passage, domain=name, units=min(passage.units, _MOST_UNITS))


def _noting(actor: str, now: int) -> Note:
    return lambda domain, action, evidence: _entry(domain, now, action, actor, evidence)


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
