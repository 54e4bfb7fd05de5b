"""A small SMTP or LMTP server that answers as the recipient's local part asks it to.

`ok.1@…` is accepted, `unknown.1@…` is refused at RCPT, `spam.1@…` is refused after the message, `grey.1@…` is put off
once and then accepted: the letters before the first other character choose the answer. It keeps what it accepted.
With `forward_to` it is a pass-through content filter. It is not a mail server: no TLS, no sizes, no pipelining limits.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.waiting import PATIENCE

AT_RCPT = {
    "unknown": "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table",
    "full": "552 5.2.2 <{rcpt}> mailbox full, quota exceeded",
    "policy": "554 5.7.1 <{rcpt}>: Relay access denied by policy",
    "blocked": "550-5.7.1 [127.0.0.1] Our system has detected an unusual rate of unsolicited mail.\r\n"
    "550-5.7.1 To protect our users, mail from your IP address has been blocked.\r\n"
    "550 5.7.1 See https://mx.example/help/blocked abc123-4567 - rsmtp",
    "busy": "450 4.2.1 <{rcpt}>: Mailbox temporarily unavailable",
    "rate": "421 4.7.28 Too many messages from your address, slow down",
    "bare": "550 No such user here",
}
ONCE_AT_RCPT = {"grey": "450 4.7.1 <{rcpt}>: Recipient address rejected: Greylisted, try again later"}
AFTER_DATA = {
    "spam": "554 5.7.1 Message rejected as spam by content scanning",
    "loop": "554 5.4.6 Too many hops",
    "scan": "451 4.7.1 Content scanner unavailable, try again later",
}
ONCE_AFTER_DATA = {"later": "451 4.3.0 Temporary local problem, please try again"}
DROPPED = "drop"  # the connection is closed where the answer to the message is due


@dataclass(frozen=True)
class Received:
    """One message that was accepted."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    forwarded: tuple[str, ...] = ()


@dataclass
class _Transaction:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)  # XFORWARD commands: whose mail a filter is handling


def _word(recipient: str) -> str:
    found = re.match(r'"?([a-z]+)', recipient)
    return found[1] if found else ""


class SmtpSink:
    """Runs in a thread of its own between `start` and `stop`; `port` is known after `start`."""

    def __init__(
        self, *, lmtp: bool = False, forward_to: int | None = None, answers: dict[str, str] | None = None
    ) -> None:
        """`answers`: what RCPT is told besides `AT_RCPT`, by the word of the recipient."""
        self.port = 0
        self._at_rcpt = {**AT_RCPT, **(answers or {})}
        self.accepted: list[Received] = []
        self.before_answer: Callable[[], None] = lambda: None  # of a message that was accepted
        self._lmtp = lmtp
        self._forward_to = forward_to
        self._put_off: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-sink", daemon=True)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    def start(self, port: int = 0) -> SmtpSink:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(PATIENCE)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", port, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        for client in self._clients:
            client.transport.abort()
        while self._clients:
            await asyncio.sleep(0.01)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            await self._greet_and_serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is free to hang up at any time
        finally:
            writer.close()
            self._clients.discard(writer)

    async def _greet_and_serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail = _Transaction()
        await _say(writer, "220 mx.sink.example ESMTP")
        while line := (await reader.readline()).decode("utf-8", "surrogateescape"):
            verb = line[:4].upper()
            if verb == "QUIT":
                await _say(writer, "221 2.0.0 Bye")
                return
            if verb == "DATA":
                if not await self._take_message(mail, reader, writer):
                    return
                mail = _Transaction()
            else:
                answer, mail = self._envelope(verb, line, mail)
                await _say(writer, answer)
                if answer.startswith("421"):
                    return

    def _envelope(self, verb: str, line: str, mail: _Transaction) -> tuple[str, _Transaction]:
        if verb in {"EHLO", "LHLO"}:
            return self._greeting(), _Transaction()  # RFC 5321 section 4.1.4: it ends a transaction
        if verb == "XFOR":
            mail.forwarded.append(line.rstrip("\r\n"))
            return "250 2.0.0 Ok", mail
        if verb == "MAIL":
            return "250 2.1.0 Ok", _Transaction(sender=_path(line), forwarded=mail.forwarded)
        if verb == "RCPT":
            return self._recipient(_path(line), mail), mail
        return "250 2.0.0 Ok", _Transaction() if verb == "RSET" else mail

    def _greeting(self) -> str:
        extensions = ["mx.sink.example", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"]
        if self._forward_to is not None:
            extensions.insert(1, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT")
        return "\r\n".join([*(f"250-{extension}" for extension in extensions[:-1]), f"250 {extensions[-1]}"])

    def _recipient(self, recipient: str, mail: _Transaction) -> str:
        refusal = self._refusal(recipient, self._at_rcpt, ONCE_AT_RCPT)
        if refusal:
            return refusal
        mail.recipients.append(recipient)
        return "250 2.1.5 Ok"

    def _refusal(self, recipient: str, always: dict[str, str], once: dict[str, str]) -> str:
        word = _word(recipient)
        if word in always:
            return always[word].format(rcpt=recipient)
        if word in once and recipient not in self._put_off:
            self._put_off.add(recipient)
            return once[word].format(rcpt=recipient)
        return ""

    async def _take_message(
        self, mail: _Transaction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if not mail.recipients:
            await _say(writer, "554 5.5.1 No valid recipients")
            return True
        await _say(writer, "354 End data with <CR><LF>.<CR><LF>")
        data = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
        if any(_word(recipient) == DROPPED for recipient in mail.recipients):
            return False
        refusals = [self._refusal(recipient, AFTER_DATA, ONCE_AFTER_DATA) for recipient in mail.recipients]
        for answer in await self._verdicts(mail, data, refusals):
            await _say(writer, answer)
        return True

    async def _verdicts(self, mail: _Transaction, data: bytes, refusals: list[str]) -> list[str]:
        """One answer for the message in SMTP, one for each recipient in LMTP."""
        if not self._lmtp:
            refusals = [next(filter(None, refusals), "")] * len(refusals)
        taken = tuple(r for r, refusal in zip(mail.recipients, refusals, strict=True) if not refusal)
        good = "250 2.0.0 Ok: queued as SINK"
        if taken:
            good = await self._keep(Received(mail.sender, taken, data, tuple(mail.forwarded)))
        answers = [refusal or good for refusal in refusals]
        return answers if self._lmtp else answers[:1]

    async def _keep(self, message: Received) -> str:
        self.accepted.append(message)
        self.before_answer()
        if self._forward_to is None:
            return f"250 2.0.0 Ok: queued as SINK{len(self.accepted):04d}"
        reply = await asyncio.to_thread(_forward, message, self._forward_to)
        return f"250 2.0.0 from MTA(smtp:[127.0.0.1]:{self._forward_to}): {reply}"


def _path(line: str) -> str:
    found = re.search(r"<([^>]*)>", line)
    return found.group(1) if found else ""


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{text}\r\n".encode("utf-8", "surrogateescape"))
    await writer.drain()


def _forward(message: Received, port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.ehlo("filter.example")
        for command in message.forwarded:
            client.docmd(command)
        client.mail(message.sender)
        for recipient in message.recipients:
            client.rcpt(recipient)
        code, reply = client.data(message.data.replace(b"\r\n..", b"\r\n."))
        return f"{code} {reply.decode('utf-8', 'replace')}"
