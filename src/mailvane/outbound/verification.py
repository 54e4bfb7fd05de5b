"""Proving that a domain may be sent from: the interface of a provider that verifies it, and the two steps of the proof.

The judge is a `VerificationProvider`: a sending service, or the DNS alone. Not here: how one is asked, and what an
unverified domain may do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from mailvane.core.errors import NotAllowed
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Domain, ProofBegun, Verification


class VerificationStatus(StrEnum):
    """How far a proof has come."""

    PENDING = "Pending"
    SUCCESS = "Success"
    FAILED = "Failed"
    TEMPORARY_FAILURE = "TemporaryFailure"
    NOT_STARTED = "NotStarted"


class DnsRecord(msgspec.Struct, frozen=True):
    """A record that the owner of the domain must publish."""

    type: str  # TXT or CNAME
    name: str
    value: str


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a domain must publish to prove that it is theirs."""

    token: str
    dkim_tokens: tuple[str, ...]
    records: tuple[DnsRecord, ...]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the two proofs of a domain have come."""

    identity: VerificationStatus
    dkim: VerificationStatus

    @property
    def complete(self) -> bool:
        return self.identity is self.dkim is VerificationStatus.SUCCESS


class VerificationProvider(Protocol):
    """Whoever judges. Blocking, for seconds. Safe to share between threads."""

    def begin(self, domain: Domain) -> Challenge:
        """Ask for a proof; asked again, the proof that was begun goes on.

        Raises ProviderUnavailable, ProviderRefused.
        """

    def status(self, domain: Domain) -> Progress:
        """Raises ProviderUnavailable, ProviderRefused."""


class NoProvider:
    """Where the settings say that nobody judges."""

    def begin(self, domain: Domain) -> Challenge:
        raise NotAllowed(f"verification is switched off on this server: {domain.name} cannot be verified")

    def status(self, domain: Domain) -> Progress:  # noqa: ARG002 - nothing was ever asked
        return Progress(identity=VerificationStatus.NOT_STARTED, dkim=VerificationStatus.NOT_STARTED)


class DomainVerification:
    """The two steps of a proof, written down as they are taken. Blocking."""

    def __init__(self, governance: Governance, provider: VerificationProvider) -> None:
        self._governance = governance
        self._provider = provider

    def begin(self, name: str, actor: str, now: int, workspace: int | None = None) -> Challenge:
        """Begin, and write it down. Raises NotFound, ProviderUnavailable, ProviderRefused.

        What is published already was published by somebody else, and proves nothing of who begins now: one account of
        a sending service asks everybody for the same records.
        """
        domain = self._governance.domain(name, workspace)
        published = self._provider.status(domain).complete
        challenge = self._provider.begin(domain)
        begun = ProofBegun(token=challenge.token, dkim_tokens=challenge.dkim_tokens, own=not published)
        self._governance.verification_started(name, begun, actor, now, workspace)
        return challenge

    def check(self, name: str, actor: str, now: int, workspace: int | None = None) -> tuple[Domain, Progress]:
        """How far the proof is; once both parts succeed the domain is verified, and stays so if they fail later.

        Also of a domain whose proof was begun elsewhere, such as one that the SES account has sent from for years.
        Raises NotFound, ProviderUnavailable, ProviderRefused.
        """
        domain = self._governance.domain(name, workspace)
        progress = self._provider.status(domain)
        if progress.complete and not (domain.verification is Verification.VERIFIED and domain.approved):
            domain = self._governance.verified(name, actor, now, workspace)
        return domain, progress
