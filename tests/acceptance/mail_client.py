"""Hands mail to a Postfix under test."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field

from tests.acceptance.sasl_server import PASSWORD
from tests.waiting import PATIENCE

SENDER = "bounces@shop.example"


@dataclass(frozen=True)
class Note:
    """A mail to hand in. Headers stand as given, line breaks and all."""

    recipients: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    sender: str = SENDER
    body: str = "Hello.\r\n"

    def text(self) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{head}\r\n{self.body}".encode()


def hand_in(port: int, *notes: Note, login: str = "") -> list[str]:
    """Send over one connection; the queue ids that Postfix gave."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="app.shop.example", timeout=PATIENCE) as client:
        client.ehlo()
        if login:
            client.login(login, PASSWORD)
        return [_send(client, note) for note in notes]


def _send(client: smtplib.SMTP, note: Note) -> str:
    client.mail(note.sender)
    for recipient in note.recipients:
        client.rcpt(recipient)
    code, reply = client.data(note.text())
    return reply.decode().rpartition(" ")[2] if code == 250 else ""
