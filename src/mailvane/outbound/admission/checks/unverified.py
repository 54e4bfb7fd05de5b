"""The domain has not proved that it may be sent from. One that nobody asked to prove it may, unless all must."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage, Verification

ORDER = 30
REASON = Reason.UNVERIFIED
SOFTENS = False


def refuses(domain: Domain, _usage: Usage, _units: int, rules: GovernanceRules) -> bool:
    if domain.verification is Verification.NONE:
        return rules.require_verification
    return domain.verification is Verification.PENDING
