"""The installation's rules, from its settings."""

from __future__ import annotations

from mailvane.outbound.admission.rules import GovernanceRules, rules_of
from mailvane.outbound.model import Domain, Guillotine, Warmup, WarmupProfile
from mailvane.outbound.settings import OutboundSettings


def test_the_settings_make_the_rules() -> None:
    strict = Guillotine(minimum_volume=50)
    schedule = {WarmupProfile.FAST: Warmup(3, 2.0)}
    rules = rules_of(OutboundSettings(require_verification=True, guillotine=strict, warmup=schedule))
    assert (rules.require_verification, rules.guillotine, rules.warmup) == (True, strict, schedule)
    assert rules_of(OutboundSettings()) == GovernanceRules(warmup=OutboundSettings().warmup)


def test_a_domain_may_have_a_guillotine_of_its_own() -> None:
    own = Guillotine(bounce_percent=9)
    rules = GovernanceRules(guillotine=Guillotine(minimum_volume=50))
    assert rules.guillotine_of(Domain(id=1, workspace=1, name="a", created_at=0)) == rules.guillotine
    assert rules.guillotine_of(Domain(id=1, workspace=1, name="a", created_at=0, guillotine=own)) == own
