"""Whether an SNS message is what it says it is: from a topic that is allowed, recent, and signed by SNS.

The address that messages come in at is open to everyone, so nothing is done for a message before all of this holds.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from mailvane.core.moments import HOUR_MS
from mailvane.outbound.ses.certificates import Certificates, sns_host
from mailvane.outbound.ses.envelope import Envelope, EnvelopeType, read_envelope
from mailvane.outbound.ses.fetching import Fetch, Refused

WINDOW_MS = HOUR_MS  # ours: SNS tries again for up to an hour at its slowest delivery policy
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - what SNS signs with by default


class SnsGate:
    """Lets believed messages in. Safe to share between threads."""

    def __init__(self, certificates: Certificates, topics: Sequence[str], fetch: Fetch) -> None:
        """`topics`: ARNs, in which `*` stands for anything; none allow none."""
        self._certificates = certificates
        self._topics = tuple(topics)
        self._fetch = fetch

    def admit(self, body: bytes, now: int) -> Envelope:
        """The message, believed. Raises Malformed, Refused, Unreachable."""
        envelope = read_envelope(body)
        self._check_topic(envelope)
        if abs(now - envelope.sent_at) > WINDOW_MS:
            raise Refused(f"the message is of {envelope.timestamp}, more than an hour away")
        self._check_signature(envelope, now)
        return envelope

    def confirm(self, envelope: Envelope) -> None:
        """Tell SNS that the subscription is wanted. Raises Refused, Unreachable."""
        url = envelope.subscribe_url or ""
        if envelope.type is not EnvelopeType.SUBSCRIPTION or sns_host(url).region != envelope.region:
            raise Refused("SubscribeURL is not in the topic's region")
        asked = parse_qs(urlsplit(url).query)
        wanted = {
            "Action": ["ConfirmSubscription"],
            "TopicArn": [envelope.topic_arn],
            "Token": [envelope.token],
        }
        if any(asked.get(name) != value for name, value in wanted.items()):
            raise Refused("SubscribeURL does not confirm this subscription")
        self._fetch(url)

    def _check_topic(self, envelope: Envelope) -> None:
        _ = envelope.region
        if not any(fnmatchcase(envelope.topic_arn, topic) for topic in self._topics):
            raise Refused(f"topic {envelope.topic_arn} is not among the allowed ones")

    def _check_signature(self, envelope: Envelope, now: int) -> None:
        algorithm = _HASHES.get(envelope.signature_version)
        if algorithm is None:
            raise Refused(f"signature version {envelope.signature_version[:20]!r} is not known")
        key = self._certificates.key(envelope.signing_cert_url, now)
        try:
            key.verify(b64decode(envelope.signature, validate=True), envelope.signed, PKCS1v15(), algorithm)
        except (InvalidSignature, binascii.Error, ValueError):
            raise Refused("the signature does not match") from None
        except UnsupportedAlgorithm:
            raise Refused(f"this machine refuses signatures of version {envelope.signature_version}") from None
