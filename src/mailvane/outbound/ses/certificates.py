"""The certificates that SNS signs with: from where they may come, and how they are verified.

A certificate is believed when it was fetched from an SNS host, names SNS, and leads to a root that this machine trusts.
The file usually holds the leaf alone, so issuers are fetched from where the certificate says they are.
"""

from __future__ import annotations

import re
import ssl
import warnings
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mailvane.core.errors import InvalidSetting
from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.outbound.ses.fetching import Fetch, Refused, Unreachable

_HOST = re.compile(r"sns\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d{1,2})\.(?P<suffix>amazonaws\.com(?:\.cn)?)")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ISSUERS = 3  # from a leaf to any root known today there are one or two
_KEPT = 32
_KEPT_MS = DAY_MS
_FAILED_MS = MINUTE_MS
_FETCHES_A_MINUTE = 20  # anybody can name any certificate of SNS; that must not become a load on SNS or on us
_WAIT_SECONDS = 20.0


class SnsHost(NamedTuple):
    """A host of SNS."""

    name: str
    region: str
    suffix: str

    @property
    def signers(self) -> tuple[str, ...]:
        """The names that its certificates bear, which differ by region and age."""
        nation = ("sns-us-gov-west-1.amazonaws.com",) if self.region.startswith("us-gov-") else ()
        return (
            f"sns.{self.suffix}",
            self.name,
            f"sns-signing.{self.region}.{self.suffix}",
            f"sns-{self.region}.{self.suffix}",
            *nation,
        )


def sns_host(url: str) -> SnsHost:
    """The SNS host of an https address. Raises Refused for any other address."""
    try:
        parts = urlsplit(url)
        match = _HOST.fullmatch(parts.netloc)
    except ValueError:
        match = None
    if match is None or parts.scheme != "https" or not url.isascii() or not url.isprintable() or parts.fragment:
        raise Refused(f"not an address of SNS: {url[:200]!r}")
    return SnsHost(match[0], match["region"], match["suffix"])


class Believed(NamedTuple):
    """What became of looking at a certificate."""

    key: RSAPublicKey | None
    why: str  # it is not believed
    until: int


class Certificates:
    """Public keys by the address of their certificate. Safe to share between threads."""

    def __init__(self, fetch: Fetch, roots: Sequence[x509.Certificate], at_hand: Path | None = None) -> None:
        """`at_hand`: a directory of certificates by file name, for machines that may not fetch."""
        self._fetch = fetch
        self._store = Store(list(roots))
        self._at_hand = at_hand
        self._known: OrderedDict[str, Believed] = OrderedDict()
        self._fetched: deque[int] = deque(maxlen=_FETCHES_A_MINUTE)
        self._lock = Lock()

    def key(self, url: str, now: int) -> RSAPublicKey:
        """The key that the certificate at this address vouches for. Raises Refused, Unreachable."""
        host = sns_host(url)
        path = urlsplit(url).path
        if not path.endswith(".pem") or urlsplit(url).query:
            raise Refused(f"not the address of a certificate: {url[:200]!r}")
        known = self._known.get(url)
        if known is None or known.until <= now:
            known = self._look(url, host, now)
        if known.key is None:
            raise Refused(known.why)
        return known.key

    def _look(self, url: str, host: SnsHost, now: int) -> Believed:
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise Unreachable("too many certificates are being fetched")
        try:
            known = self._known.get(url)
            if known is None or known.until <= now:
                known = self._judge(url, host, now)
                self._known[url] = known
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            return known
        finally:
            self._lock.release()

    def _judge(self, url: str, host: SnsHost, now: int) -> Believed:
        try:
            leaf = self._verified(read_certificates(self._text(url, now)), host, now)
            key = _rsa_key(leaf)
        except Refused as refused:
            return Believed(None, refused.message, now + _FAILED_MS)
        return Believed(key, "", min(now + _KEPT_MS, round(leaf.not_valid_after_utc.timestamp() * 1000)))

    def _text(self, url: str, now: int) -> bytes:
        if self._at_hand is not None:
            path = self._at_hand / Path(urlsplit(url).path).name
            if path.is_file():
                return path.read_bytes()
        return self._fetch_rarely(url, now)

    def _fetch_rarely(self, url: str, now: int) -> bytes:
        if len(self._fetched) == _FETCHES_A_MINUTE and now - self._fetched[0] < MINUTE_MS:
            raise Unreachable("too many certificates were asked for in this minute")
        self._fetched.append(now)
        return self._fetch(url)

    def _verified(self, chain: list[x509.Certificate], host: SnsHost, now: int) -> x509.Certificate:
        if not chain:
            raise Refused(f"the file at {host.name} holds no certificate")
        leaf, *issuers = chain
        name = _signer(leaf, host)
        verifier = (
            PolicyBuilder()
            .store(self._store)
            .time(datetime.fromtimestamp(now / 1000, UTC))
            .build_server_verifier(x509.DNSName(name))
        )
        for _ in range(_ISSUERS + 1):
            try:
                verifier.verify(leaf, issuers)
            except VerificationError as error:
                address = _issuer_address(issuers[-1] if issuers else leaf)
                if address is None or len(issuers) == _ISSUERS:
                    raise Refused(f"the certificate of {name} is not trusted: {error}") from None
                issuers += self._issuer(address, now)
            else:
                return leaf
        raise Refused(f"the certificate of {name} is not trusted: its chain is too long")

    def _issuer(self, address: str, now: int) -> list[x509.Certificate]:
        # A valid leaf would fail with its issuer, and SNS gives up on what is refused: better to be asked again.
        try:
            found = read_certificates(self._fetch_rarely(address, now))
        except Refused as refused:
            raise Unreachable(refused.message) from None
        if len(found) != 1:
            raise Unreachable(f"{address} is not the certificate of an issuer")
        return found


def read_certificates(text: bytes) -> list[x509.Certificate]:
    """Every certificate in PEM blocks, or the one in DER; none when there is none. Damaged ones are left out."""
    blocks = _PEM.findall(text)
    found = []
    with warnings.catch_warnings():
        # Some roots in use everywhere have serial numbers that the library frowns on.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in blocks or [text]:
            try:
                load = x509.load_pem_x509_certificate if blocks else x509.load_der_x509_certificate
                found.append(load(block))
            except ValueError:
                continue
    return found


def trusted_roots(path: Path | None) -> list[x509.Certificate]:
    """The roots in a file; without one this machine's, or those that came with the program.

    Raises InvalidSetting.
    """
    system = ssl.get_default_verify_paths().cafile
    place = path or Path(system or certifi.where())
    try:
        roots = read_certificates(place.read_bytes())
    except OSError as error:
        raise InvalidSetting(f"cannot read the trusted roots in {place}: {error.strerror}") from None
    if not roots:
        raise InvalidSetting(f"{place} holds no certificate to trust")
    return roots


def _rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Refused("the certificate has no RSA key")
    return key


def _signer(leaf: x509.Certificate, host: SnsHost) -> str:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = names.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        listed = []
    for signer in host.signers:
        if signer in listed:
            return signer
    raise Refused(f"the certificate at {host.name} is not one of SNS")


def _issuer_address(certificate: x509.Certificate) -> str | None:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    for described in access:
        location = described.access_location
        if described.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return location.value if location.value.startswith(("http://", "https://")) else None
    return None
