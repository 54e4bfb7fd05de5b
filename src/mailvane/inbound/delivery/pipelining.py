"""Commands that are sent in one piece, and their replies read in a row (RFC 2920); aiosmtplib sends one at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

_LONGEST_REPLY = 64 * 1024  # bytes
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)  # RFC 5321 section 4.2
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class _Replies:
    """As many as there were commands."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._found: list[aiosmtplib.SMTPResponse] = []
        self._rest = b""
        self._lines: list[str] = []  # of the reply that has begun
        self.all: asyncio.Future[list[aiosmtplib.SMTPResponse]] = asyncio.get_running_loop().create_future()

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            match = _LINE.fullmatch(line.rstrip(b"\r"))
            if match is None:
                self.fail(aiosmtplib.SMTPResponseException(500, f"no reply of SMTP: {line[:80]!r}"))
                return
            self._lines.append((match[3] or b"").decode("utf-8", "surrogateescape").strip())
            if match[2] != b"-":
                self._found.append(aiosmtplib.SMTPResponse(int(match[1]), "\n".join(self._lines)))
                self._lines = []
        if len(self._found) >= self._count and not self.all.done():
            self.all.set_result(self._found[: self._count])
        elif len(self._rest) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self.fail(aiosmtplib.SMTPResponseException(500, "a reply of SMTP has no end"))

    def end(self) -> None:
        """The connection has ended; a server may say 421 once to several commands, and close it."""
        last = self._found[-1] if self._found else None
        said = str(last) if last is not None and last.code == 421 else "Connection lost"
        self.fail(aiosmtplib.SMTPServerDisconnected(said))

    def fail(self, error: Exception) -> None:
        if not self.all.done():
            self.all.set_exception(error)


class PipeliningProtocol(SMTPProtocol):
    """What a connection becomes whose server takes several commands at once."""

    _replies: _Replies | None = None

    async def execute_together(self, commands: Sequence[bytes], seconds: float) -> list[aiosmtplib.SMTPResponse]:
        """The reply to each of these command lines, which are given without their CRLF.

        Raises ValueError for one that has a line end within, SMTPException.
        """
        if any(map(_CONTROL.search, commands)):
            raise ValueError("a command has a control character")
        return await self._said(b"\r\n".join([*commands, b""]), len(commands), seconds)

    async def execute_content(self, content: bytes, seconds: float) -> aiosmtplib.SMTPResponse:
        """The reply to a whole mail, whose lines end in CRLF. Raises SMTPException."""
        stuffed = content.replace(b"\r\n.", b"\r\n..")  # RFC 5321 section 4.5.2
        first = b"." if stuffed.startswith(b".") else b""
        last = b".\r\n" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n.\r\n"
        (reply,) = await self._said(first + stuffed + last, 1, seconds)
        return reply

    async def _said(self, sent: bytes, replies: int, seconds: float) -> list[aiosmtplib.SMTPResponse]:
        self._replies = expected = _Replies(replies)
        late = aiosmtplib.SMTPReadTimeoutError("Timed out waiting for server response")
        timer = asyncio.get_running_loop().call_later(seconds, expected.fail, late)
        try:
            self.write(sent)
            return await expected.all
        finally:
            timer.cancel()
            self._replies = None

    def data_received(self, data: bytes) -> None:
        if self._replies is None:
            super().data_received(data)
        else:
            self._replies.feed(data)

    def eof_received(self) -> bool:
        if self._replies is not None:
            self._replies.end()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._replies is not None:
            self._replies.end()
        super().connection_lost(exc)


def pipelined(client: aiosmtplib.SMTP) -> PipeliningProtocol | None:
    """The connection of a client that has said EHLO, made one that pipelines; None where its server does not."""
    protocol, transport = client.protocol, client.transport
    if protocol is None or transport is None or not client.supports_extension("pipelining"):
        return None
    protocol.__class__ = PipeliningProtocol  # the library makes it, and has begun to use it
    transport.set_protocol(protocol)  # uvloop remembers methods
    return cast("PipeliningProtocol", protocol)
