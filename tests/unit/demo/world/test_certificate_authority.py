"""The authority of the simulated world, judged by the library's own verifier."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, DNSName
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mailvane_demo.world.certificate_authority import issuer, root, signer

NOW = 1_795_000_000_000


def chain_length(trusted: Certificate, leaf: Certificate, between: list[Certificate]) -> int:
    policy = PolicyBuilder().store(Store([trusted])).time(datetime.fromtimestamp(NOW / 1000, UTC))
    return len(policy.build_server_verifier(DNSName("sns.amazonaws.com")).verify(leaf, between))


def test_a_signer_is_trusted_through_its_issuers() -> None:
    top = root(NOW)
    middle = issuer(NOW, top)
    leaf = signer(NOW, middle, ["sns.amazonaws.com"])
    assert chain_length(top.certificate, leaf.certificate, [middle.certificate]) == 3
    with pytest.raises(VerificationError):
        chain_length(root(NOW).certificate, leaf.certificate, [middle.certificate])


def test_signatures_are_of_the_version_that_was_asked_for() -> None:
    one = root(NOW)
    public = one.certificate.public_key()
    assert isinstance(public, RSAPublicKey)
    public.verify(one.sign(b"text", "1"), b"text", PKCS1v15(), SHA1())
    public.verify(one.sign(b"text", "2"), b"text", PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(one.sign(b"text", "2"), b"text", PKCS1v15(), SHA1())
