"""A topic of the simulated Amazon SNS: it wraps messages, signs them, and says where its certificate is.

Written from Amazon's description of its messages, apart from the code that reads them: the two check each other.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID, uuid5

import msgspec

from mailvane_demo.world.certificate_authority import Signer

_NAMESPACE = UUID("5d3f2bb4-8f0a-4b52-9f0c-6b7f2f1f2a10")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def stamp(at: int) -> str:
    """A time as Amazon writes it."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


class SnsTopic(msgspec.Struct, frozen=True, kw_only=True):
    """Publishes to one endpoint."""

    signer: Signer
    region: str = "eu-central-1"
    account: str = "123456789012"
    name: str = "mail-feedback"
    version: str = "2"  # of signatures
    certificate: str = "SimpleNotificationService-simulated.pem"

    @property
    def arn(self) -> str:
        return f"arn:aws:sns:{self.region}:{self.account}:{self.name}"

    @property
    def host(self) -> str:
        return f"sns.{self.region}.amazonaws.com"

    def notification(self, message: str, at: int, key: str, subject: str | None = None) -> bytes:
        """One message; `key` tells it from all others, and gives its id."""
        fields = {"Type": "Notification", "Message": message} | ({} if subject is None else {"Subject": subject})
        return self._signed(fields, at, key)

    def confirmation(self, at: int, key: str, kind: str = "SubscriptionConfirmation") -> bytes:
        token = f"token-of-{key}"
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": self.arn, "Token": token})
        fields = {
            "Type": kind,
            "Message": f"You have chosen to subscribe to the topic {self.arn}.",
            "Token": token,
            "SubscribeURL": f"https://{self.host}/?{query}",
        }
        return self._signed(fields, at, key)

    def _signed(self, fields: dict[str, str], at: int, key: str) -> bytes:
        envelope = fields | {
            "MessageId": str(uuid5(_NAMESPACE, key)),
            "TopicArn": self.arn,
            "Timestamp": stamp(at),
            "SignatureVersion": self.version,
            "SigningCertURL": f"https://{self.host}/{self.certificate}",
        }
        names = [name for name in _SIGNED[envelope["Type"]] if name in envelope]
        text = "".join(f"{name}\n{envelope[name]}\n" for name in names)
        envelope["Signature"] = b64encode(self.signer.sign(text.encode(), self.version)).decode()
        return json.dumps(envelope).encode()
