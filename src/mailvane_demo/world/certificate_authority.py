"""A certificate authority of the simulated world: a root that nobody else trusts, and signers whom it vouches for.

It stands in for the authority behind Amazon's signing certificates. Its keys live as long as the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

_EXPONENT = 65537
_BITS = 2048
_VALID = timedelta(days=30)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Signer(msgspec.Struct, frozen=True):
    """A key and the certificate that says whose it is."""

    key: RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def sign(self, text: bytes, version: str) -> bytes:
        """As SNS signs: version 1 over SHA-1, version 2 over SHA-256."""
        return self.key.sign(text, PKCS1v15(), SHA1() if version == "1" else SHA256())  # noqa: S303 - see above


def root(now: int, name: str = "Simulated Root") -> Signer:
    """An authority that vouches for itself."""
    key = generate_private_key(_EXPONENT, _BITS)
    return Signer(key, _certificate(now, _named(name), key, None, _of_an_authority(key)))


def issuer(now: int, parent: Signer, name: str = "Simulated Issuer") -> Signer:
    """An authority that another one vouches for."""
    key = generate_private_key(_EXPONENT, _BITS)
    return Signer(key, _certificate(now, _named(name), key, parent, _of_an_authority(key)))


def signer(now: int, parent: Signer, hosts: Sequence[str], issuer_url: str | None = None) -> Signer:
    """Somebody who may speak for these hosts; `issuer_url` tells where the parent's certificate is."""
    key = generate_private_key(_EXPONENT, _BITS)
    extensions: list[x509.ExtensionType] = [
        x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    ]
    if issuer_url is not None:
        location = x509.UniformResourceIdentifier(issuer_url)
        described = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)
        extensions.append(x509.AuthorityInformationAccess([described]))
    return Signer(key, _certificate(now, _named(hosts[0]), key, parent, extensions))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _of_an_authority(key: RSAPrivateKey) -> list[x509.ExtensionType]:
    usages = {name: name in {"key_cert_sign", "crl_sign"} for name in _USAGES}
    return [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(**usages),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
    ]


def _certificate(
    now: int, subject: x509.Name, key: RSAPrivateKey, parent: Signer | None, extensions: Sequence[x509.ExtensionType]
) -> x509.Certificate:
    moment = datetime.fromtimestamp(now / 1000, UTC)
    by = parent.certificate.subject if parent else subject
    issuing = parent.key if parent else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + _VALID)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, x509.BasicConstraints | x509.KeyUsage))
    return builder.sign(issuing, SHA256())
