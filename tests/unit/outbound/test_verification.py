"""The two steps of a proof are written down as they are taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import NotAllowed, NotFound, ProviderUnavailable
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Domain, Reason, SendRequest, Verification
from mailvane.outbound.verification import (
    Challenge,
    DnsRecord,
    DomainVerification,
    NoProvider,
    Progress,
    VerificationStatus,
)
from tests.ledgers import fresh_ledger

NOW = 1_795_000_000_000
SUCCESS = VerificationStatus.SUCCESS
PENDING = VerificationStatus.PENDING
FAILED = VerificationStatus.FAILED


class Judge:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.progress = Progress(identity=PENDING, dkim=PENDING)
        self.away = False

    def begin(self, domain: Domain) -> Challenge:
        if self.away:
            raise ProviderUnavailable
        return Challenge(token="t", dkim_tokens=("a", "b", "c"), records=(DnsRecord("TXT", domain.name, "t"),))

    def status(self, domain: Domain) -> Progress:
        if self.away:
            raise ProviderUnavailable
        return self.progress


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Governance]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    governance.create("shop.example", None, NOW)
    yield governance
    ledger.close()


def refusal(book: Governance) -> Reason | None:
    return book.decide([SendRequest(domain="shop.example")], NOW)[0].reason


def test_a_domain_is_refused_from_the_first_step_until_both_proofs_succeed(book: Governance, judge: Judge) -> None:
    proving = DomainVerification(book, judge)
    assert refusal(book) is None
    assert proving.begin("shop.example", "key 1", NOW).token == "t"
    assert refusal(book) is Reason.UNVERIFIED
    for progress in (
        Progress(identity=SUCCESS, dkim=PENDING),
        Progress(identity=PENDING, dkim=SUCCESS),
        Progress(identity=FAILED, dkim=FAILED),
    ):
        judge.progress = progress
        domain, told = proving.check("shop.example", "key 1", NOW)
        assert (domain.verification, told) == (Verification.PENDING, progress)
        assert refusal(book) is Reason.UNVERIFIED
    judge.progress = Progress(identity=SUCCESS, dkim=SUCCESS)
    domain, _ = proving.check("shop.example", "key 1", NOW)
    assert domain.verification is Verification.VERIFIED
    assert refusal(book) is None
    assert [entry.action for entry in book.audit("shop.example", 9)] == ["verified", "verification_started", "created"]


def test_what_is_verified_stays_so_when_the_proof_fails_later(book: Governance, judge: Judge) -> None:
    proving = DomainVerification(book, judge)
    proving.begin("shop.example", "key 1", NOW)
    judge.progress = Progress(identity=SUCCESS, dkim=SUCCESS)
    proving.check("shop.example", "key 1", NOW)
    judge.progress = Progress(identity=FAILED, dkim=PENDING)
    domain, told = proving.check("shop.example", "key 1", NOW)
    assert (domain.verification, told.identity) == (Verification.VERIFIED, FAILED)


def test_a_domain_that_was_proved_elsewhere_is_verified_when_somebody_looks(book: Governance, judge: Judge) -> None:
    proving = DomainVerification(book, judge)
    for progress in (Progress(identity=SUCCESS, dkim=PENDING), Progress(identity=PENDING, dkim=SUCCESS)):
        judge.progress = progress
        assert proving.check("shop.example", "key 1", NOW)[0].verification is Verification.NONE
    judge.progress = Progress(identity=SUCCESS, dkim=SUCCESS)
    domain, _ = proving.check("shop.example", "key 1", NOW)
    assert domain.verification is book.domain("shop.example").verification is Verification.VERIFIED
    proving.check("shop.example", "key 1", NOW)
    assert [entry.action for entry in book.audit("shop.example", 9)] == ["verified", "created"]


def test_a_judge_that_is_away_changes_nothing(book: Governance, judge: Judge) -> None:
    judge.away = True
    with pytest.raises(ProviderUnavailable):
        DomainVerification(book, judge).begin("shop.example", "key 1", NOW)
    assert book.domain("shop.example").verification is Verification.NONE


def test_an_unknown_domain_is_not_found(book: Governance, judge: Judge) -> None:
    for step in (DomainVerification(book, judge).begin, DomainVerification(book, judge).check):
        with pytest.raises(NotFound):
            step("other.example", "key 1", NOW)


def test_where_nobody_judges_nothing_can_be_begun(book: Governance) -> None:
    proving = DomainVerification(book, NoProvider())
    with pytest.raises(NotAllowed):
        proving.begin("shop.example", "key 1", NOW)
    assert proving.check("shop.example", "key 1", NOW)[1].identity is VerificationStatus.NOT_STARTED
    assert refusal(book) is None


def test_records_that_were_there_before_are_nobodys_own_proof(book: Governance, judge: Judge) -> None:
    proving = DomainVerification(book, judge)
    book.create("claimed.example", None, NOW, approved=False)
    judge.progress = Progress(identity=SUCCESS, dkim=SUCCESS)
    proving.begin("claimed.example", "key 1", NOW)
    domain, _ = proving.check("claimed.example", "key 1", NOW)
    assert (domain.verification, domain.approved) == (Verification.VERIFIED, False)


def test_a_claim_is_approved_by_its_own_proof(book: Governance, judge: Judge) -> None:
    proving = DomainVerification(book, judge)
    book.create("claimed.example", None, NOW, approved=False)
    proving.begin("claimed.example", "key 1", NOW)
    assert not proving.check("claimed.example", "key 1", NOW)[0].approved
    judge.progress = Progress(identity=SUCCESS, dkim=SUCCESS)
    proving.begin("claimed.example", "key 1", NOW)
    assert proving.check("claimed.example", "key 1", NOW)[0].approved
