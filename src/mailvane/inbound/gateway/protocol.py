"""SMTP as the gateway speaks it: aiosmtpd's server, stricter where its installed version is lenient.

What differs: a mail ends at CRLF.CRLF only, and one with a CR or LF of its own is refused (RFC 5321 section 2.3.8), as
are NULs, so that no server behind finds a second mail in it; it is read in pieces instead of lines; whoever speaks
before the greeting is refused.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

if TYPE_CHECKING:
    from mailvane.inbound.gateway.server import GatewayServer

logging.getLogger("mail.log").setLevel(logging.WARNING)  # it writes a line for every command

_END = b"\r\n.\r\n"
_PIECE = 256 * 1024
_LINE = 64 * 1024  # bytes; RFC 5321 asks for a thousand at least, and real mail has longer ones
_COMMAND = 4096
_PATIENCE = 4  # times the size of the largest mail are read to the end of one that is too large
_PLAIN = re.compile(r"<([^<>\s\x00-\x1f\x7f\"@,;:\\]{1,64}@[^<>\s\x00-\x1f\x7f\"@,;:\\\[\]]{1,255})>(?:\s+(.*))?")
_LONGEST_ADDRESS = 320
_EARLY = "554 5.5.0 You spoke before the greeting"


class GatewayProtocol(SMTP):
    """One connection."""

    line_length_limit = _LINE

    def __init__(self, server: GatewayServer, handler: object, **options: Any) -> None:
        super().__init__(handler, enable_SMTPUTF8=True, **options)
        self.gateway = server
        # The library's own is shared by all connections, and each new one resets it.
        self.command_size_limits = _Limits(dict.fromkeys(("MAIL", "RCPT", "EHLO", "HELO"), _COMMAND))
        self.receiving = 0  # bytes of a mail in hand
        self.busy = False

    def __dir__(self) -> list[str]:
        """The library looks at everything that is named here to find its commands."""
        return _COMMANDS

    def another(self) -> GatewayProtocol:
        """For a new connection, of one that has none: the library finds out about commands and hooks each time anew,
        which takes longer than its part of a mail."""
        new = GatewayProtocol.__new__(GatewayProtocol)
        new.__dict__.update(self.__dict__)
        new.renew()
        return new

    def renew(self) -> None:
        """Make what belongs to one connection."""
        reader = asyncio.StreamReader(limit=self.line_length_limit, loop=self.loop)
        asyncio.StreamReaderProtocol.__init__(
            self, reader, client_connected_cb=self._cb_client_connected, loop=self.loop
        )
        self._smtp_methods = {
            name.removeprefix("smtp_"): getattr(self, name) for name in _COMMANDS if name.startswith("smtp_")
        }

    @property
    def peer(self) -> str:
        """IP address of the client."""
        peer = self.session.peer if self.session is not None else None
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        first = self._original_transport is None
        super().connection_made(transport)
        if first:
            self.gateway.enter(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.gateway.leave(self)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        await asyncio.sleep(self.gateway.greeting_delay)
        reader = cast("Any", self._reader)
        if reader._buffer:  # noqa: SLF001 - there is no other way to see what was sent already
            await self.push(_EARLY)
            self._writer.close()
            return
        await super()._handle_client()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The library's parser takes longer than all the rest of a command."""
        match = _PLAIN.fullmatch(arg)
        if match is not None:
            return match[1], match[2] or ""
        address, rest = super()._getaddr(arg)
        if address in ("", "<>", None) or _is_address(address):
            return address, rest
        return None, None

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - the library's name
        if await self.check_helo_needed():
            return
        if not cast("Envelope", self.envelope).rcpt_tos:
            await self.push("503 5.5.1 Name a recipient first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self.busy = True
        try:
            content, problem = await self._content()
            status = problem or await self._taken(content)
        finally:
            self.busy = False
            self.gateway.let_go(self)
        self.envelope = self._create_envelope()
        await self.push(status)

    async def _taken(self, content: bytes) -> str:
        envelope = cast("Envelope", self.envelope)
        envelope.content = envelope.original_content = content
        return cast("str", await self.event_handler.handle_DATA(self, cast("Session", self.session), envelope))

    async def _content(self) -> tuple[bytes, str]:
        """The mail as it was meant, without the dots of transparency; or why it is refused. It is read to its end."""
        received = bytearray(b"\r\n")  # the line before the first one has ended
        total, problem = 0, ""
        while True:
            piece = await self._reader.read(_PIECE)
            if not piece:
                raise ConnectionResetError("the client ended within a mail")
            self._reset_timeout()
            start = max(0, len(received) - len(_END) + 1)
            received += piece
            total += len(piece)
            end = received.find(_END, start)
            if end >= 0:
                # What the client sent behind it are its next commands.
                self._give_back(bytes(received[end + len(_END) :]))
                break
            problem = problem or self._too_much(total, len(piece))
            if problem:
                del received[: -len(_END)]
                if total > _PATIENCE * self.gateway.settings.message_bytes:
                    raise ConnectionResetError("the client goes on with a mail that is too large")
        if not problem and end > self.gateway.settings.message_bytes:
            problem = _TOO_LARGE
        if problem:
            return b"", problem
        del received[end + 2 :]
        return self._checked(bytes(received[2:]))

    def _give_back(self, rest: bytes) -> None:
        if rest:
            buffer = cast("Any", self._reader)._buffer  # noqa: SLF001 - `feed_data` appends behind what has come since
            buffer[0:0] = rest

    def _too_much(self, total: int, more: int) -> str:
        if total > self.gateway.settings.message_bytes + len(_END):
            self.gateway.let_go(self)
            return _TOO_LARGE
        if not self.gateway.hold(self, more):
            self.gateway.let_go(self)
            return "452 4.3.1 Too much mail is on its way in; try again later"
        return ""

    def _checked(self, content: bytes) -> tuple[bytes, str]:
        ends = content.count(b"\r\n")
        if content.count(b"\n") != ends or content.count(b"\r") != ends:
            return b"", "550 5.6.0 Lines end in CRLF; this mail has a CR or LF of its own"
        if b"\0" in content:
            return b"", "550 5.6.0 This mail has a NUL"
        if has_long_line(content, _LINE):
            return b"", f"550 5.6.0 This mail has a line of more than {_LINE} bytes"
        return content.removeprefix(b".").replace(b"\r\n.", b"\r\n"), ""


_COMMANDS = [name for name in dir(GatewayProtocol) if name.startswith(("smtp_", "auth_"))]


def _is_address(address: str) -> bool:
    named = "@" in address or address.lower() == "postmaster"  # RFC 5321 section 4.5.1
    return named and len(address) <= _LONGEST_ADDRESS and address.isprintable()


_TOO_LARGE = "552 5.3.4 This mail is larger than what is taken here"


class _Limits(dict[str, int]):
    """Longest command lines; what EHLO adds to one is not needed."""

    def __missing__(self, command: str) -> int:
        return 512

    def __setitem__(self, command: str, limit: int) -> None:
        """As they are."""


def has_long_line(content: bytes, limit: int) -> bool:
    """Whether a line has more bytes than that, its CRLF included."""
    start = 0
    while len(content) - start > limit:
        end = content.rfind(b"\n", start, start + limit)
        if end < 0:
            return True
        start = end + 1
    return False
