"""One connection to a server behind, over SMTP or LMTP: a mail for a recipient at a time, and what was said to it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from typing import Any

import aiosmtplib

from mailvane.core.errors import Transient
from mailvane.inbound.delivery.pipelining import PipeliningProtocol, pipelined
from mailvane.inbound.events import Answered
from mailvane.inbound.model import NextHop
from mailvane.maillog.model import ReasonFamily
from mailvane.maillog.reasons import Reasons

_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})\s")
_LONGEST_REPLY = 1000
_NEEDS_UTF8 = Answered(code=553, enhanced="5.6.7", reply="553 5.6.7 the next hop does not know SMTPUTF8", hard=True)


class HopDown(Transient):
    """A server behind cannot be talked to; says nothing about any mail."""


class HopBroke(HopDown):
    """The connection ended as a mail was handed on, be it by chance or for what is in the mail."""


class HopConnection:
    """Belongs to one event loop, and to one user at a time."""

    def __init__(self, hop: NextHop, hostname: str, seconds: float, reasons: Reasons) -> None:
        self.hop = hop
        self._reasons = reasons
        self._seconds = seconds
        self._pipeline: PipeliningProtocol | None = None
        starts_tls = {"none": False, "opportunistic": None, "required": True}[hop.tls]
        kind = _Lmtp if hop.protocol == "lmtp" else aiosmtplib.SMTP
        self._client = kind(
            hostname=hop.host,
            port=hop.port,
            timeout=seconds,
            start_tls=starts_tls,
            validate_certs=hop.tls == "required",
            local_hostname=hostname,
        )

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    async def open(self) -> None:
        """Raises HopDown."""
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:  # the library would say it before DATA, and end the envelope
                await self._greet()
            self._pipeline = pipelined(self._client)
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            self._client.close()
            raise HopDown(told(error)) from error

    async def _greet(self) -> None:
        try:
            await self._client.ehlo()
        except aiosmtplib.SMTPHeloError:
            if isinstance(self._client, _Lmtp):
                raise
            await self._client.helo()

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._client.quit(), 2)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self._client.close()

    async def send(self, sender: str, recipient: str, content: bytes, *, utf8: bool) -> Answered:
        """What it said to the mail. Raises HopBroke when the connection ends before an answer, HopDown when it says
        that it is about to end."""
        client = self._client
        if utf8 and not client.supports_extension("smtputf8"):
            return _NEEDS_UTF8
        options = [b"SMTPUTF8"] if utf8 else []
        if client.supports_extension("8bitmime") and not content.isascii():
            options.append(b"BODY=8BITMIME")
        envelope = [b" ".join([b"MAIL", f"FROM:<{sender}>".encode(), *options]), f"RCPT TO:<{recipient}>".encode()]
        try:
            if self._pipeline is None:
                response = await self._one_by_one(envelope, content)
            else:
                response = await self._together(self._pipeline, envelope, content)
            if response.code // 100 != 2:
                return await self._refused(response.code, response.message)
        except aiosmtplib.SMTPDataError as error:
            return await self._refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise HopBroke(told(error)) from error
        return self._answered(response.code, response.message)

    async def _one_by_one(self, envelope: Sequence[bytes], content: bytes) -> aiosmtplib.SMTPResponse:
        """The first refusal, or what was said to the mail."""
        for command in envelope:
            response = await self._client.execute_command(command)
            if response.code // 100 != 2:
                return response
        return await self._client.data(content)

    async def _together(
        self, pipeline: PipeliningProtocol, envelope: Sequence[bytes], content: bytes
    ) -> aiosmtplib.SMTPResponse:
        """Likewise; DATA is said before it is known whether the recipient is taken."""
        *taken, data = await pipeline.execute_together([*envelope, b"DATA"], self._seconds)
        refusal = next((response for response in taken if response.code // 100 != 2), None)
        if data.code == 354:
            # Who takes DATA without a recipient is told an empty mail, which goes nowhere (RFC 2920 section 3.1).
            said = await pipeline.execute_content(b"" if refusal else content, self._seconds)
            return refusal or said
        if refusal is None and data.code // 100 not in (4, 5):
            raise aiosmtplib.SMTPServerDisconnected(f"the answer to DATA makes no sense: {data}")
        return refusal or data

    async def _refused(self, code: int, message: str) -> Answered:
        """A refused mail leaves half an envelope; 421 means that the connection ends."""
        if code == 421:
            self._client.close()
            raise HopDown(f"{code} {message}")
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()
        return self._answered(code, message)

    def _answered(self, code: int, message: str) -> Answered:
        reply = message.replace("\r\n", " ").replace("\n", " ")[:_LONGEST_REPLY]
        match = _ENHANCED.match(reply)
        enhanced = match[1] if match else ""
        transport: Any = self._client.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        cipher = transport.get_extra_info("cipher") if transport is not None else None
        family, hard = (ReasonFamily.NONE, False) if code // 100 == 2 else self._reasons.sort(reply, code, enhanced)
        return Answered(
            code=code, enhanced=enhanced, reply=f"{code} {reply}", host=self.hop.host, family=family, hard=hard,
            ip=str(peer[0]) if isinstance(peer, tuple) else "", tls=str(cipher[1]) if cipher else "",
        )  # fmt: skip


class _Lmtp(aiosmtplib.SMTP):
    """RFC 2033: another greeting, and an answer for each recipient, of which there is one here."""

    async def execute_command(self, *args: bytes, **options: Any) -> aiosmtplib.SMTPResponse:
        if args and args[0] == b"EHLO":
            args = (b"LHLO", *args[1:])
        return await super().execute_command(*args, **options)


def told(error: Exception) -> str:
    """In one line for people."""
    code = getattr(error, "code", None)
    text = str(error).replace("\n", " ").strip()[:500] or type(error).__name__
    return f"{code} {text}" if code and not text.startswith(str(code)) else text
