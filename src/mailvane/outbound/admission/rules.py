"""The installation's rules, as far as the checks and the guillotine ask for them. Values only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mailvane.outbound.model import WARMUPS, Domain, Guillotine, Warmup, WarmupProfile
from mailvane.outbound.settings import OutboundSettings


class GovernanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every domain that says nothing else."""

    require_verification: bool = False  # also of domains that nobody asked to verify
    guillotine: Guillotine = Guillotine()
    warmup: Mapping[WarmupProfile, Warmup] = WARMUPS

    def guillotine_of(self, domain: Domain) -> Guillotine:
        return self.guillotine if domain.guillotine is None else domain.guillotine


def rules_of(settings: OutboundSettings) -> GovernanceRules:
    """The rules as the operator set them."""
    return GovernanceRules(
        require_verification=settings.require_verification, guillotine=settings.guillotine, warmup=settings.warmup
    )
