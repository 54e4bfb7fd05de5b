"""The decision for the policy service and the increment call: asks the checks in order and counts what may pass. Pure.

The first check that refuses gives the reason. Softened, it is a pass with a mark; but that does not hide a later
refusal which never softens.
"""

from __future__ import annotations

from mailvane.outbound.admission.checks import CHECKS, Check
from mailvane.outbound.admission.counters import counted, today
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Enforcement, Judge, Reason, SendRequest, Usage, Verdict, Verification


def judge_by(rules: GovernanceRules, asked: tuple[Check, ...] = CHECKS) -> Judge:
    """The judge of an installation."""

    def judge(domain: Domain, usage: Usage, request: SendRequest, now: int) -> tuple[Verdict, Usage]:
        current, units = today(usage, now), request.counted_in(domain)
        refusal = _refusal(asked, domain, current, units, rules)
        soft = refusal is not None and _softened(refusal, domain)
        allowed = refusal is None or soft
        after = counted(current, units) if allowed else current
        verdict = Verdict(
            domain=domain.name,
            allowed=allowed,
            reason=None if refusal is None else refusal.reason,
            soft=soft,
            sent_today=after.sent_today,
            sent_month=after.sent_month,
            pending=refusal is not None and _waits_for_proof(refusal, domain),
        )
        return verdict, after

    return judge


def _waits_for_proof(refusal: Check, domain: Domain) -> bool:
    return refusal.reason is Reason.UNVERIFIED and domain.verification is Verification.PENDING


def _refusal(
    asked: tuple[Check, ...], domain: Domain, usage: Usage, units: int, rules: GovernanceRules
) -> Check | None:
    softened: Check | None = None
    for check in asked:
        if softened is not None and check.softens:
            continue
        if check.refuses(domain, usage, units, rules):
            if not _softened(check, domain):
                return check
            softened = check
    return softened


def _softened(check: Check, domain: Domain) -> bool:
    return check.softens and domain.enforcement is Enforcement.SOFT
