"""A campaign of mixed mail, and what has to become of each: signed, wanted and not, known senders, wrong addresses."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from smtplib import SMTP
from typing import NamedTuple

import dkim
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailvane.inbound.model import Contact, ContactState, Filter, FilterAction, MessageStatus, RuleGroup
from mailvane.inbound.store.contacts import Seen
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, now
from tests.waiting import PATIENCE

_SENDERS_AT_ONCE = 4
_BODY = "Long line " + "of text " * 100 + "\r\n.\r\n..two dots\r\n\r\n  spaces \t\r\nCaf\u00e9 \U0001f98a\r\n\r\n\r\n"


class Kind(NamedTuple):
    """Mails of one sort, and what becomes of each message; None: it is refused at RCPT."""

    name: str
    status: MessageStatus | None
    recipients: tuple[str, ...] = ("info",)
    sender: str = "ann"
    word: str = ""  # in the subject


KINDS = (
    Kind("invoice", MessageStatus.DELIVERED),
    Kind("newsletter", MessageStatus.DELIVERED, ("info", "two")),
    Kind("advert", MessageStatus.QUARANTINED, word="casino"),
    Kind("flood", MessageStatus.REJECTED, word="pills"),
    Kind("offer", MessageStatus.DENIED, word="bargain"),
    Kind("stalker", MessageStatus.DENIED, sender="blocked"),
    Kind("friend", MessageStatus.DELIVERED, sender="white", word="casino"),
    Kind("ticket", MessageStatus.DELIVERED, sender="muted"),
    Kind("stray", None, ("nobody",)),
    Kind("late", MessageStatus.FAILED, sender="unwanted"),
)
# For the main.cf of the server behind, which refuses a sender whom the gateway knows nothing of.
BEHIND = "smtpd_sender_restrictions = check_sender_access inline:{ unwanted@c.example=REJECT }"
STATES = {
    "blocked": ContactState.BLOCKED,
    "white": ContactState.WHITELISTED,
    "muted": ContactState.MUTED,
}
TARGETS = {"info": f"ok.box@{DOMAIN}", "two": f"ok.two@{DOMAIN}"}


class CampaignMail(NamedTuple):
    """One of them."""

    kind: Kind
    subject: str
    content: bytes

    def copies(self) -> Iterator[tuple[str, str]]:
        """What arrives of it at once: subject and recipient."""
        if self.kind.status is MessageStatus.DELIVERED:
            yield from self.wanted()

    def wanted(self) -> Iterator[tuple[str, str]]:
        """What may arrive of it."""
        for local in self.kind.recipients:
            yield self.subject, TARGETS[local]


class Signer:
    """Signs mail of `c.example` as its server would (RFC 6376), and checks such signatures."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(65537, 1024)
        self._private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form))
        self._record = b"v=DKIM1; k=rsa; p=" + public

    def signed(self, content: bytes) -> bytes:
        fields = [b"from", b"to", b"subject", b"date", b"message-id"]
        kind = (b"simple", b"simple")  # not a blank may change
        signature: bytes = dkim.sign(
            content, b"test", b"c.example", self._private, canonicalize=kind, include_headers=fields
        )
        return signature + content

    def verifies(self, content: bytes) -> bool:
        def record(_name: bytes, timeout: int = 5) -> bytes:
            return self._record

        return bool(dkim.verify(content, dnsfunc=record))


def prepare(world: GatewayWorld) -> None:
    """The addresses, contacts and the filter that the campaign meets."""
    box = world.mailbox("ok.box")
    world.mailbox("info", mailbox=box.id)
    world.mailbox("two", mailbox=world.mailbox("ok.two").id)
    rule = {"match": "all", "conditions": [{"component": "subject", "operator": "contains", "value": "bargain"}]}
    groups = (msgspec.convert(rule, RuleGroup),)
    with world.stores() as stores:
        stores.filters.put(Filter(id="f", workspace=1, name="no bargain", action=FilterAction.DENY, groups=groups))
        stores.contacts.meet(1, {f"{sender}@c.example": Seen(1, now(), "") for sender in STATES})
        for sender, state in STATES.items():
            stores.contacts.change(1, f"{sender}@c.example", _in(state))


def _in(state: ContactState) -> Callable[[Contact], Contact]:
    return lambda contact: msgspec.structs.replace(contact, state=state)


def campaign(count: int, signer: Signer) -> list[CampaignMail]:
    """So many mails, all kinds in turn."""
    made = []
    for number, kind in enumerate(islice(cycle(KINDS), count)):
        subject = f"{kind.name} {number} {kind.word}".strip()
        head = (
            f"From: Somebody <{kind.sender}@c.example>\r\nTo: info@{DOMAIN}\r\nSubject: {subject}\r\n"
            f"Date: Thu, 1 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}@c.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        )
        made.append(CampaignMail(kind, subject, signer.signed(f"{head}\r\n{_BODY}".encode())))
    return made


def send(mails: Sequence[CampaignMail], port: int) -> None:
    """To a relay, over a few connections."""

    def sent(some: Sequence[CampaignMail]) -> None:
        with SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            for each in some:
                recipients = [f"{local}@{DOMAIN}" for local in each.kind.recipients]
                client.sendmail(f"{each.kind.sender}@c.example", recipients, each.content, ["BODY=8BITMIME"])

    with ThreadPoolExecutor(_SENDERS_AT_ONCE) as pool:
        list(pool.map(sent, [mails[each::_SENDERS_AT_ONCE] for each in range(_SENDERS_AT_ONCE)]))
