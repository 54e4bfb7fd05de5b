"""The whole domain is suspended, not only its sending: nothing leaves, whatever the enforcement."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, Reason, Usage

ORDER = 10
REASON = Reason.SUSPENDED
SOFTENS = False


def refuses(domain: Domain, _usage: Usage, _units: int, _rules: GovernanceRules) -> bool:
    return domain.closed
