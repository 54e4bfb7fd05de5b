"""Verification against moto's server with the real boto3, and feedback over every ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import httpx
import msgspec
import pytest

from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.recording import Recorder
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.feedback import Answer
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import OutboundStatus, Reason, SendRequest, Verification
from mailvane.outbound.ses.certificates import Certificates
from mailvane.outbound.ses.intake import SnsIntake
from mailvane.outbound.ses.provider import SesProvider
from mailvane.outbound.ses.sns import SnsGate
from mailvane.outbound.verification import DomainVerification, VerificationStatus
from mailvane.server.ledger import Ledger, open_ledger
from mailvane_demo.world.certificate_authority import Signer, root, signer
from mailvane_demo.world.sns_topic import SnsTopic
from tests.ports import free_port
from tests.unit.maillog.watched_maillog import WatchedMailLog
from tests.unit.outbound.ses.examples import bounce
from tests.waiting import PATIENCE, wait_for

NOW = 1_795_000_000_000
NAME = "shop.example"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that answers as SES does."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("moto") / "output.txt"
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:

        def answers() -> bool:
            assert server.poll() is None, log.read_text()
            try:
                return httpx.get(f"{url}/moto-api/data.json", timeout=PATIENCE).is_success
            except httpx.TransportError:
                return False

        try:
            wait_for(answers, log.read_text)
            yield url
        finally:
            server.kill()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert "AWS_PROFILE" not in os.environ


@pytest.fixture
def governance(ledger: Ledger) -> Governance:
    found = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    workspace = ledger.tenants.add_workspace("acme", NOW)
    found.create(NAME, workspace.id, NOW)
    return found


def test_verify_then_status_then_verified(governance: Governance, moto: str, credentials: None) -> None:
    proving = DomainVerification(governance, SesProvider("eu-central-1", moto))
    unknown = SesProvider("eu-west-1", moto).status(governance.domain(NAME))
    assert (unknown.identity, unknown.dkim) == (VerificationStatus.NOT_STARTED, VerificationStatus.NOT_STARTED)

    challenge = proving.begin(NAME, "key 1", NOW)
    assert [(record.type, record.name, record.value) for record in challenge.records] == [
        ("TXT", f"_amazonses.{NAME}", challenge.token),
        *(("CNAME", f"{t}._domainkey.{NAME}", f"{t}.dkim.amazonses.com") for t in challenge.dkim_tokens),
    ]
    assert len(challenge.dkim_tokens) == 3
    begun = governance.domain(NAME)
    assert (begun.verification, begun.dkim_tokens) == (Verification.PENDING, challenge.dkim_tokens)
    assert governance.decide([SendRequest(domain=NAME)], NOW)[0].reason is Reason.UNVERIFIED

    domain, progress = proving.check(NAME, "key 1", NOW)
    assert progress.complete
    assert domain.verification is Verification.VERIFIED
    assert governance.decide([SendRequest(domain=NAME)], NOW)[0].allowed


def test_a_domain_that_the_account_proved_long_ago_is_verified_at_the_first_look(
    governance: Governance, moto: str, credentials: None
) -> None:
    """As a domain that SES sent from before Mailvane came: nothing of the proof was ever asked for by this server."""
    region = "ap-southeast-2"
    ses = boto3.client("ses", region_name=region, endpoint_url=moto)
    ses.delete_identity(Identity=NAME)
    proving = DomainVerification(governance, SesProvider(region, moto))
    domain, progress = proving.check(NAME, "key 1", NOW)
    assert (domain.verification, progress.identity) == (Verification.NONE, VerificationStatus.NOT_STARTED)

    ses.verify_domain_identity(Domain=NAME)
    ses.verify_domain_dkim(Domain=NAME)
    domain, progress = proving.check(NAME, "key 1", NOW)
    assert (progress.identity, progress.dkim) == (VerificationStatus.SUCCESS, VerificationStatus.SUCCESS)
    assert domain.verification is governance.domain(NAME).verification is Verification.VERIFIED
    assert [entry.action for entry in governance.audit(NAME, 9)] == ["verified", "created"]


@pytest.fixture(scope="module")
def authority() -> Signer:
    return root(NOW)


@pytest.fixture(scope="module")
def topic(authority: Signer) -> SnsTopic:
    return SnsTopic(signer=signer(NOW, authority, ["sns.amazonaws.com"]))


def intake(ledger: Ledger, authority: Signer, topic: SnsTopic) -> SnsIntake:
    """As every process of a server has one."""
    certificates = Certificates(lambda url: topic.signer.pem, [authority.certificate])
    gate = SnsGate(certificates, [topic.arn], lambda url: b"")
    book = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    return SnsIntake(gate, book, Tenancy(ledger.tenants, ""), Recorder(ledger.journal, WatchedMailLog()))


def test_four_bounces_of_a_hundred_stop_a_domain_until_somebody_restores_it(
    ledger: Ledger, governance: Governance, authority: Signer, topic: SnsTopic
) -> None:
    take = intake(ledger, authority, topic)
    governance.decide([SendRequest(domain=NAME)] * 100, NOW)
    for number in range(3):
        take(topic.notification(bounce(feedbackId=f"f{number}"), NOW, str(number)), NOW)
    assert governance.decide([SendRequest(domain="nobody.example")], NOW)[0].allowed
    assert statuses(governance) == [OutboundStatus.ACTIVE]
    take(topic.notification(bounce(), NOW, "fourth"), NOW)
    assert statuses(governance) == [OutboundStatus.SUSPENDED]

    refused = governance.decide([SendRequest(domain=NAME)], NOW)[0]
    assert (refused.allowed, refused.word) == (False, "outbound_suspended")
    governance.change(NAME, {"enforcement": "soft"}, "key 1", NOW)
    softened = governance.decide([SendRequest(domain=NAME)], NOW)[0]
    assert (softened.allowed, softened.word) == (True, "outbound_suspended_soft")
    governance.change(NAME, {"status": "active"}, "key 1", NOW)
    assert governance.decide([SendRequest(domain=NAME)], NOW)[0].word is None


def statuses(governance: Governance) -> list[OutboundStatus]:
    return [domain.status for domain in governance.domains()]


def test_sent_five_times_in_parallel_to_several_servers_it_counts_once(
    ledger: Ledger, ledger_url: str, governance: Governance, authority: Signer, topic: SnsTopic
) -> None:
    governance.decide([SendRequest(domain=NAME)] * 1000, NOW)
    other = open_ledger(ledger_url)
    takers = [intake(each, authority, topic) for each in (ledger, other)]
    try:
        for number in range(5):
            body = topic.notification(bounce(feedbackId=f"f{number}"), NOW, str(number))
            with ThreadPoolExecutor(5) as pool:
                outcomes = list(pool.map(lambda turn, body=body: takers[turn % 2](body, NOW), range(5)))
            assert [outcome.why for outcome in outcomes].count("counted") == 1
            assert {outcome.answer for outcome in outcomes} == {Answer.TAKEN}
    finally:
        other.close()
    assert governance.usage_today(NAME, NOW).bounces == 5
    assert len({event.number for batch in ledger.journal.pending(100) for event in batch.batch.events}) == 1
    assert sum(len(batch.batch.events) for batch in ledger.journal.pending(100)) == 5


@pytest.mark.parametrize("flaw", ["signature", "host", "topic", "old"])
def test_a_forged_message_changes_nothing_and_says_why(
    ledger: Ledger, governance: Governance, authority: Signer, topic: SnsTopic, flaw: str
) -> None:
    governance.decide([SendRequest(domain=NAME)] * 10, NOW)
    body = topic.notification(bounce(), NOW, "a")
    told = json.loads(body)
    forged, why = {
        "signature": (json.dumps(told | {"Message": told["Message"] + " "}).encode(), "signature"),
        "host": (json.dumps(told | {"SigningCertURL": "https://evil.example/a.pem"}).encode(), "not an address of SNS"),
        "topic": (
            msgspec.structs.replace(topic, name="theirs").notification(bounce(), NOW, "a"),
            "not among the allowed",
        ),
        "old": (topic.notification(bounce(), NOW - 3_600_001, "a"), "an hour"),
    }[flaw]
    before = governance.domain(NAME), governance.usage_today(NAME, NOW)
    outcome = intake(ledger, authority, topic)(forged, NOW)
    assert outcome.answer is Answer.REFUSED
    assert why in outcome.why
    assert (governance.domain(NAME), governance.usage_today(NAME, NOW)) == before
    assert list(ledger.journal.pending(10)) == []


def test_what_the_account_proved_before_does_not_make_a_claim_the_claimants(
    governance: Governance, moto: str, credentials: None
) -> None:
    """One account asks everybody for the same records, so only records that were not there yet tell whose they are."""
    region, name = "sa-east-1", "claimed.example"
    ses = boto3.client("ses", region_name=region, endpoint_url=moto)
    ses.delete_identity(Identity=name)
    proving = DomainVerification(governance, SesProvider(region, moto))
    governance.create(name, None, NOW, approved=False)
    proving.begin(name, "key 1", NOW)
    assert proving.check(name, "key 1", NOW)[0].approved
    governance.remove(name, "key 1", NOW)
    governance.reset_monthly(NOW)
    governance.create(name, None, NOW, approved=False)
    proving.begin(name, "key 2", NOW)
    domain, _ = proving.check(name, "key 2", NOW)
    assert (domain.verification, domain.approved) == (Verification.VERIFIED, False)
