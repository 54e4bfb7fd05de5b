"""The one decision of both doors: asks the checks in their order and counts what may pass. Pure.

The first check that refuses gives the reason. Softened, it is a pass with a mark; but that does not hide a later
refusal which never softens.
"""

from __future__ import annotations

from mailvane.outbound.admission.checks import CHECKS, Check
from mailvane.outbound.admission.counters import counted, today
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Enforcement, Judge, SendRequest, Usage, Verdict


def judge_by(rules: GovernanceRules, asked: tuple[Check, ...] = CHECKS) -> Judge:
    """The judge of an installation."""

    def judge(domain: Domain, usage: Usage, passage: SendRequest, now: int) -> tuple[Verdict, Usage]:
        current, units = today(usage, now), passage.counted_in(domain)
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
        )
        return verdict, after

    return judge


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
