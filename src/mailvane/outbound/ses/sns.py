"""Whether an SNS message is what it says it is: from a topic that is allowed, recent, and signed by SNS.

The address that messages come in at is open to everyone, so nothing is done for a message before all of this holds.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import HOUR_MS
from mailvane.outbound.ses.certificates import Certificates, sns_host
from mailvane.outbound.ses.fetching import Fetch, Refused

LARGEST_BODY = 1024 * 1024  # a message has up to 256 KiB, and writing it as JSON in JSON may double that twice
_ARN = re.compile(r"arn:[a-z-]+:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class Malformed(InvalidInput):
    """The body is not an SNS message."""


class EnvelopeType(StrEnum):
    """What SNS has to say."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One SNS message as it came. Fields that it does not know are ignored."""

    type: EnvelopeType
    message_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    topic_arn: _Text
    message: str
    timestamp: _Text
    signature_version: _Text
    signature: _Text
    signing_cert_url: _Text = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    token: str | None = None
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)

    @property
    def in_one_line(self) -> tuple[str, ...]:
        """Signed fields that are a line each: a line feed in one would let its text pass for that of another.

        Only Message comes before them all and may have several lines, as that of a subscription has.
        """
        fields = (self.subject, self.token, self.subscribe_url)
        return (self.message_id, self.topic_arn, self.timestamp, *(each for each in fields if each is not None))

    @property
    def region(self) -> str:
        """The region that the topic says it is in. Raises Malformed."""
        match = _ARN.fullmatch(self.topic_arn)
        if match is None:
            raise Malformed("TopicArn does not name a topic")
        return match["region"]

    @property
    def sent_at(self) -> int:
        """When SNS wrote it. Raises Malformed."""
        try:
            return milliseconds(self.timestamp)
        except ValueError:
            raise Malformed("Timestamp is not a time") from None

    @property
    def signed(self) -> bytes:
        """What the signature is over: names and values of the fields that count, each on a line of its own."""
        if self.type is EnvelopeType.NOTIFICATION:
            fields = {"Message": self.message, "MessageId": self.message_id}
            # Only an absent subject is left out: an empty one is signed.
            fields |= {} if self.subject is None else {"Subject": self.subject}
        else:
            fields = {
                "Message": self.message,
                "MessageId": self.message_id,
                "SubscribeURL": self.subscribe_url or "",
            }
        fields |= {"Timestamp": self.timestamp}
        fields |= {} if self.type is EnvelopeType.NOTIFICATION else {"Token": self.token or ""}
        fields |= {"TopicArn": self.topic_arn, "Type": self.type.value}
        return "".join(f"{name}\n{value}\n" for name, value in fields.items()).encode("utf-8", "surrogatepass")


_decoder = msgspec.json.Decoder(Envelope)
_TIME = Annotated[datetime, msgspec.Meta(tz=True)]


def read_envelope(body: bytes) -> Envelope:
    """Raises Malformed."""
    if len(body) > LARGEST_BODY:
        raise Malformed(f"an SNS message has at most {LARGEST_BODY} bytes")
    try:
        envelope = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"this is not an SNS message: {error}") from None
    if any(_CONTROL.search(value) for value in envelope.in_one_line):
        raise Malformed("a signed field holds a control character")
    if envelope.type is not EnvelopeType.NOTIFICATION and not (envelope.subscribe_url and envelope.token):
        raise Malformed(f"{envelope.type} needs SubscribeURL and Token")
    return envelope


def milliseconds(text: str) -> int:
    """An ISO 8601 time with a zone. Raises ValueError for anything else, and for times that no mail can have."""
    try:
        found = round(msgspec.convert(text, prepared(_TIME)).timestamp() * 1000)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if not 0 < found < 7_258_118_400_000:
        raise ValueError("not between 1970 and 2200")
    return found


WINDOW_MS = HOUR_MS  # ours: SNS tries again for up to an hour at its slowest delivery policy
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - what SNS signs with by default


class SnsGate:
    """Verifies messages. Safe to share between threads."""

    def __init__(self, certificates: Certificates, topics: Sequence[str], fetch: Fetch) -> None:
        """`topics`: ARNs, in which `*` stands for anything; none allow none."""
        self._certificates = certificates
        self._topics = tuple(topics)
        self._fetch = fetch

    def admit(self, body: bytes, now: int) -> Envelope:
        """The verified message. Raises Malformed, Refused, Unreachable."""
        envelope = read_envelope(body)
        _ = envelope.region
        if not any(fnmatchcase(envelope.topic_arn, topic) for topic in self._topics):
            raise Refused(f"topic {envelope.topic_arn} is not among the allowed ones")
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
