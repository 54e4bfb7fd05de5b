"""A Mailvane with its SMTP gateway, and a mail server behind it that keeps what it accepted."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.model import Address, AddressType, InboundDomain, Message, MessageStatus, NextHop
from mailvane.inbound.questions import MessageQuestion
from mailvane.inbound.stores import InboundStores
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.acceptance.smtp_sink import Received, SmtpSink
from tests.waiting import PATIENCE

DOMAIN = "office.example"


class GatewayWorld:
    """An installation whose workspace takes mail for `office.example` and hands it to a sink."""

    def __init__(self, data: Path, sink_port: int, settings: str = "", protocol: str = "smtp") -> None:
        self.installation = Installation(data)
        self.port = self.installation.smtp_port
        (data / "mailvane.toml").write_text(f'[inbound]\nhostname = "mx.office.example"\n{settings}\n')
        self.relay, self.key = self.installation.tenant("acme")
        hop = msgspec.convert({"host": "127.0.0.1", "port": sink_port, "protocol": protocol, "tls": "none"}, NextHop)
        with self.stores() as stores:
            stores.domains.add(
                InboundDomain(id=ordered_uuid(now()), workspace=1, name=DOMAIN, hop=hop, created_at=now())
            )

    @contextmanager
    def stores(self) -> Iterator[InboundStores]:
        with closing(open_ledger(f"sqlite:///{self.installation.data / 'ledger.sqlite'}")) as ledger:
            yield ledger.inbound

    def mailbox(self, local: str, **values: Any) -> Address:
        """A new one; an alias when `mailbox` is given."""
        kind = AddressType.ALIAS if values.get("mailbox") else AddressType.MAILBOX
        common = {"id": ordered_uuid(now()), "workspace": 1, "type": kind, "address": f"{local}@{DOMAIN}"}
        fresh = msgspec.convert({**common, "created_at": now(), **values}, Address)
        with self.stores() as stores:
            stores.addresses.add(fresh)
        return fresh

    def messages(self, *statuses: MessageStatus) -> list[Message]:
        """The newest first."""
        with self.stores() as stores:
            return stores.pages.page(MessageQuestion(workspace=1, statuses=statuses or None), 0, 100).messages

    @contextmanager
    def client(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.ehlo("client.example")
            yield client

    def send(self, recipient: str, content: bytes, sender: str = "ann@sender.example") -> tuple[int, str]:
        """What the gateway says to the mail, at RCPT or at its end."""
        with self.client() as client:
            assert client.mail(sender)[0] == 250
            code, reply = client.rcpt(recipient)
            if code == 250:
                code, reply = client.data(content)
            return code, reply.decode("utf-8", "replace")


def arrived(sink: SmtpSink, marker: bytes) -> list[Received]:
    """Of what the server behind has accepted, that which has these bytes in it."""
    return [one for one in list(sink.accepted) if marker in one.data]


def mail(subject: str, body: str = "Hello.\r\n", sender: str = "ann@sender.example", extra: str = "") -> bytes:
    """A whole mail."""
    head = f"From: Ann <{sender}>\r\nTo: <info@{DOMAIN}>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n{extra}"
    return f"{head}\r\n{body}".encode()


def now() -> int:
    return time.time_ns() // 1_000_000
