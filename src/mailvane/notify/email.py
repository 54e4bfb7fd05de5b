"""Mail, over the SMTP server of the settings. The caller that makes the notifier gives subject and body.

A server that refuses us, by greeting, login or sender, may take the mail once the settings are mended: it is tried
again. Only what it says of a recipient or of the mail itself can be the end of it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import Mailbox, canonical_address, read_mailbox
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Delivered, NotDelivered, Refused, RenderedEmail
from mailvane.notify.settings import OutgoingMail

TIMEOUT_SECONDS = 20.0
AT_ONCE = 8  # a server that gets an alert for each of hundreds of addresses counts connections


class Email:
    """Sends notifications to addresses. Belongs to one event loop."""

    channel = Channel.EMAIL

    def __init__(
        self,
        mail: OutgoingMail,
        render_email: Callable[[Notification], RenderedEmail],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`render_email` gives subject and body, and raises InvalidInput when the notification cannot be sent as mail.

        `tls` says whom to trust; without it, whom this machine trusts. Raises InvalidInput for no sender.
        """
        self._letter_of = render_email
        self._mail = mail
        self._sender = read_mailbox(mail.sender)
        self._tls = tls
        self._room = asyncio.Semaphore(AT_ONCE)

    async def deliver(self, notification: Notification, now: int) -> Delivered:  # noqa: ARG002 - dated when it was made
        """Raises NotDelivered, Refused."""
        try:
            addressed = msgspec.structs.replace(notification, target=canonical_address(notification.target))
            message = message_of(addressed, self._letter_of(addressed), self._sender)
        except (InvalidInput, ValueError) as error:
            raise Refused(f"no mail can be made of it: {error}"[:500]) from None
        password = await asyncio.to_thread(self._password)
        async with self._room:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    return await self._send(message, addressed.target, password)
            except TimeoutError:
                raise NotDelivered(f"no answer within {TIMEOUT_SECONDS:g} s") from None
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _meant(error) from None

    async def _send(self, message: EmailMessage, target: str, password: str | None) -> Delivered:
        mail = self._mail
        _, answer = await aiosmtplib.send(
            message,
            sender=self._sender.address,
            recipients=[target],
            hostname=mail.host,
            port=mail.port,
            username=mail.user or None,
            password=password,
            use_tls=mail.security == "tls",
            start_tls=mail.security == "starttls",
            tls_context=self._tls,
            timeout=TIMEOUT_SECONDS,
        )
        return Delivered(answer[:500])

    def _password(self) -> str | None:
        """Read for each mail, so that a new one needs no restart."""
        if not self._mail.user:
            return None
        if self._mail.password_file is None:
            return ""
        try:
            return Path(self._mail.password_file).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, ValueError) as error:
            raise NotDelivered(f"the password file cannot be read: {type(error).__name__}") from None


def message_of(notification: Notification, rendered: RenderedEmail, sender: Mailbox) -> EmailMessage:
    """A mail. Its id is that of the notification, so that one that comes twice is known to be the same."""
    # A name of any script is encoded for servers that know ASCII only (RFC 2047); a local part cannot be.
    policy = SMTP if notification.target.isascii() and sender.local.isascii() else SMTPUTF8
    message = EmailMessage(policy=policy)
    place = sender.domain
    message["From"] = sender.header("Mailvane")
    message["To"] = notification.target
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(notification.created_at // 1000, UTC))
    message["Message-ID"] = f"<{notification.id}@{place}>"
    if notification.alert_id:
        # Readers show the mails of one alert as one conversation.
        message["References"] = f"<alert_{notification.alert_id}@{place}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is told to us
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    shown: Any = message.get_payload()
    for image in rendered.images:
        # Beside the HTML only (RFC 2387), so that no reader lists them as attachments.
        shown[-1].add_related(
            image.content, "image", "png", cid=f"<{image.name}>", disposition="inline", filename=f"{image.name}.png"
        )
    return message


def _meant(error: Exception) -> NotDelivered | Refused:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _by_code(error.recipients[0]) if error.recipients else NotDelivered("the recipient was refused")
    if isinstance(error, aiosmtplib.SMTPNotSupported) and "SMTPUTF8" in str(error):
        return Refused(str(error)[:500])
    if isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError):
        return _by_code(error)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return NotDelivered(f"{error.code} {error.message}"[:500])
    return NotDelivered(f"{type(error).__name__}: {error}"[:500])


def _by_code(error: aiosmtplib.SMTPResponseException) -> NotDelivered | Refused:
    reply = f"{error.code} {error.message}"[:500]
    return Refused(reply) if error.code >= 500 else NotDelivered(reply)
