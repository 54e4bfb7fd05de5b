"""An authority of our own, what the internet would answer, and a gate that trusts it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509

from mailvane.outbound.ses.certificates import Certificates
from mailvane.outbound.ses.fetching import Refused
from mailvane.outbound.ses.sns import SnsGate
from mailvane_demo.world.certificate_authority import Signer, root, signer
from mailvane_demo.world.sns_topic import SnsTopic

NOW = 1_795_000_000_000
REGION = "eu-central-1"
HOST = f"sns.{REGION}.amazonaws.com"
ACCOUNT_TOPICS = f"arn:aws:sns:{REGION}:123456789012:*"


class Internet:
    """Pages by address; what is asked for is noted."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        page = self.pages.get(url, Refused(f"{url} answers 404"))
        if isinstance(page, Exception):
            raise page
        return page


@pytest.fixture(scope="session")
def authority() -> Signer:
    return root(NOW)


@pytest.fixture(scope="session")
def sns(authority: Signer) -> Signer:
    return signer(NOW, authority, ["sns.amazonaws.com"])


@pytest.fixture
def topic(sns: Signer) -> SnsTopic:
    return SnsTopic(signer=sns, region=REGION)


@pytest.fixture
def internet(topic: SnsTopic, sns: Signer) -> Internet:
    found = Internet()
    found.pages[f"https://{HOST}/{topic.certificate}"] = sns.pem
    return found


@pytest.fixture
def roots(authority: Signer) -> list[x509.Certificate]:
    return [authority.certificate]


@pytest.fixture
def gate_for(internet: Internet, roots: list[x509.Certificate]) -> Callable[..., SnsGate]:
    def make(*topics: str) -> SnsGate:
        return SnsGate(Certificates(internet, roots), topics, internet)

    return make


@pytest.fixture
def gate(gate_for: Callable[..., SnsGate]) -> SnsGate:
    return gate_for(ACCOUNT_TOPICS)
