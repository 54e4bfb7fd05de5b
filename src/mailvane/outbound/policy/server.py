"""Answers mail servers over TCP or a Unix socket: many requests on one connection, in order, each once it is decided.

Where no right answer can be given, none is: the connection ends, and the mail server does what its own configuration
says for that case. Decides nothing itself and keeps nothing.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from mailvane.core.connections import ConnectionLimits, Connections, peer_of
from mailvane.core.errors import InvalidInput, InvalidSetting, MailvaneError
from mailvane.core.listening import Listen, UnixSocket
from mailvane.outbound.decisions import Answer, Answered
from mailvane.outbound.model import SendRequest, Verdict
from mailvane.outbound.policy.decision import DUNNO, PolicyRules, action, ruled, send_request_of
from mailvane.outbound.policy.metrics import PolicyMetrics
from mailvane.outbound.policy.protocol import END_OF_MESSAGE, Request, RequestStream, answer

log = logging.getLogger(__name__)

Decide = Callable[[SendRequest, Answered], None]

_BACKLOG = 1024
_PIPELINED = 256  # requests of one connection in hand at once; more wait in the kernel
_LIMITS = ConnectionLimits(total=4096, per_peer=4096)
_SOCKET_MODE = 0o666  # who may reach a Unix socket is said by its directory
_DUNNO = answer(DUNNO)
_EXEMPT = Verdict(domain="", allowed=True, known=False)  # of a mail that needs no decision
_MOST_LEFT = 16  # mails of a mail server, one after the other, that were not asked about at their end


class Stages:
    """At which stages each service of a mail server asks. One that asks at the end of a message is counted there.

    What it asks before, at recipients, is a look then: a mail that is given up or refused meanwhile counts nothing.
    When many mails in a row come to no end, it may have been told to ask there no more, and recipients count again.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] = {}  # by service: mails since it asked at an end last

    def ended(self, service: str) -> None:
        self._left[service] = 0

    def left(self, service: str) -> None:
        """A mail that was let pass came to no end."""
        if service in self._left:
            self._left[service] += 1

    def counts_at_end(self, service: str) -> bool:
        return self._left.get(service, _MOST_LEFT + 1) <= _MOST_LEFT


class Patience(msgspec.Struct, frozen=True):
    """How long connections are waited for, in seconds. Postfix lets go of an idle one after 300."""

    idle: float = 900.0
    unfinished: float = 60.0  # a request that has begun
    stopping: float = 5.0
    look: float = 5.0  # how often


class PolicyServer:
    """Listens, and belongs to one event loop."""

    def __init__(
        self,
        decide: Decide,
        rules: PolicyRules,
        metrics: PolicyMetrics,
        patience: Patience | None = None,
        limits: ConnectionLimits = _LIMITS,
    ) -> None:
        self.decide = decide
        self.rules = rules
        self.metrics = metrics
        self.stages = Stages()
        self.connections: Connections[_Connection] = Connections(limits, _Connection.is_idle, _Connection.give_up)
        self._patience = patience or Patience()
        self._listening: list[asyncio.Server] = []
        self._sockets: list[Path] = []
        self._watching: asyncio.Task[None] | None = None
        self.stopping = False

    async def listen(self, where: Listen | UnixSocket) -> None:
        """Begin to answer. Raises InvalidSetting when nobody can listen there."""
        try:
            if isinstance(where, UnixSocket):
                server = await self._listen_unix(where.path)
            else:
                loop = asyncio.get_running_loop()
                server = await loop.create_server(lambda: _Connection(self), where.host, where.port, backlog=_BACKLOG)
        except OSError as error:
            raise InvalidSetting(f"cannot listen on {where}: {error.strerror or error}") from None
        self._listening.append(server)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens over TCP, with the ports that the system chose."""
        sockets = [each for server in self._listening for each in server.sockets if each.family != socket.AF_UNIX]
        return [each.getsockname()[:2] for each in sockets]

    async def stop(self) -> None:
        """Accept nothing new; give the answers that are awaited, unless they take longer than the patience."""
        self.stopping = True
        for server in self._listening:
            server.close()
        for path in self._sockets:
            path.unlink(missing_ok=True)
        for connection in self.connections:
            connection.finish()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience.stopping
        while len(self.connections) and loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in self.connections:
            connection.abort("it did not end in time")
        if self._watching is not None:
            self._watching.cancel()

    async def _listen_unix(self, path: Path) -> asyncio.Server:
        # The loop removes a socket that is there, also one that another server listens on.
        if await _is_answered(path):
            raise InvalidSetting(f"cannot listen on unix:{path}: another program does")
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Connection(self), path, backlog=_BACKLOG)
        path.chmod(_SOCKET_MODE)
        self._sockets.append(path)
        return server

    async def _watch(self) -> None:
        said = 0
        while True:
            await asyncio.sleep(self._patience.look)
            if self.connections.evicted > said:
                log.warning(
                    "%d policy connections ended for being too many; %d are open",
                    self.connections.evicted - said, len(self.connections),
                )  # fmt: skip
                said = self.connections.evicted
            now = asyncio.get_running_loop().time()
            for connection in self.connections:
                connection.check(now, self._patience)


class _Asked:
    """A request whose answer has not been sent yet."""

    __slots__ = ("answer", "began", "connection", "request")

    def __init__(self, connection: _Connection, request: Request, began: float) -> None:
        self.connection = connection
        self.request = request
        self.began = began
        self.answer: Answer | None = None  # None: is awaited

    def answered(self, given: Answer) -> None:
        self.answer = given
        self.connection.reply()


class _Connection(asyncio.Protocol):
    """One mail server's connection."""

    def __init__(self, server: PolicyServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._stream = RequestStream()
        self._waiting: deque[_Asked] = deque()
        self._asker = ""
        self._heard = self._loop.time()
        self._marked = ""  # the mail that was last given a header
        self._stages = Stages()  # of a mail server that does not tell which of its services asks
        self._mail = ""  # the instance that was asked about last
        self._service = ""  # that asked about it
        self._is_open = False  # nothing was said of its end, and it was not refused
        self._ending = False
        self._full = False
        self._deaf = False  # for now

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream has no other kind
        peer = transport.get_extra_info("peername")
        self._asker = str(peer[0]) if isinstance(peer, tuple) else ""
        self._server.connections.enter(self, peer_of(peer))
        if self._server.stopping:
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it was lost makes no difference
        self._ending = True
        self._waiting.clear()
        self._leave_mail()
        self._server.connections.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._heard = self._loop.time()
        try:
            requests = self._stream.feed(data)
        except InvalidInput as error:
            self.abort(error.message)
            return
        if requests:
            self._server.connections.prove(self)
        for request in requests:
            self._ask(request)
            if self._transport.is_closing():  # it could not even be asked
                return
        self._steer()

    def eof_received(self) -> bool:
        """Whoever only closed its own side still wants to hear the answers."""
        self.finish()
        return True

    def pause_writing(self) -> None:
        self._full = True
        self._steer()

    def resume_writing(self) -> None:
        self._full = False
        self._steer()

    def finish(self) -> None:
        """Hear no more, and end after the answers that are awaited."""
        self._ending = True
        if not self._waiting:
            self._transport.close()

    def abort(self, why: str) -> None:
        """End without another word."""
        log.warning("policy connection of %s ended without an answer: %s", self._asker or "a local program", why)
        self._server.metrics.failed(len(self._waiting) or 1)
        self._ending = True
        self._waiting.clear()
        self._transport.abort()

    def is_idle(self) -> bool:
        """Nothing was asked that is not answered."""
        return not self._waiting and not self._stream.unfinished

    def give_up(self) -> None:
        """End at once, because there is no room for it. Postfix asks again on a new connection."""
        self._ending = True
        self._transport.abort()

    def check(self, now: float, patience: Patience) -> None:
        """End when nothing has been heard for too long."""
        silent = now - self._heard
        if self._stream.unfinished and silent > patience.unfinished:
            self.abort("a request was begun and not finished")
        elif not self._waiting and silent > patience.idle:
            self._transport.abort()

    def _is_look(self, request: Request) -> bool:
        """Whether the mail counts at its end only; notes how far it is."""
        self._server.metrics.asked(request.stage)
        if request.instance != self._mail:
            self._leave_mail()
            self._mail = request.instance
            self._service = f"{self._asker} {request.service}" if request.service else ""
            self._is_open = bool(request.instance)
        stages = self._known_stages()
        if request.stage == END_OF_MESSAGE:
            stages.ended(self._service)
            self._is_open = False
            return False
        return bool(request.instance) and stages.counts_at_end(self._service)

    def _leave_mail(self) -> None:
        if self._is_open:
            self._known_stages().left(self._service)
        self._is_open = False

    def _known_stages(self) -> Stages:
        return self._server.stages if self._service else self._stages

    def _ask(self, request: Request) -> None:
        question = send_request_of(request, self._server.rules, self._asker, is_look=self._is_look(request))
        asked = _Asked(self, request, self._heard)
        self._waiting.append(asked)
        if question is None:
            asked.answered(_EXEMPT)
        else:
            self._server.decide(question, asked.answered)

    def reply(self) -> None:
        """Send the answers that are known, as far as no earlier one is missing."""
        waiting = self._waiting
        answers: list[bytes] = []
        while waiting and (given := waiting[0].answer) is not None:
            if isinstance(given, MailvaneError):
                self._send(answers)
                self.abort(given.message)
                return
            answers.append(self._answer(waiting.popleft(), given))
        self._send(answers)
        if self._ending and not waiting:
            self._transport.close()
        elif self._deaf:
            self._steer()

    def _send(self, answers: list[bytes]) -> None:
        if answers:
            self._transport.write(answers[0] if len(answers) == 1 else b"".join(answers))

    def _answer(self, asked: _Asked, verdict: Verdict) -> bytes:
        seconds = self._loop.time() - asked.began
        if verdict is _EXEMPT:
            self._server.metrics.exempted(seconds)
            return _DUNNO
        verdict = ruled(verdict, self._server.rules)
        self._server.metrics.decided(verdict, seconds)
        if verdict.reason is None:
            return _DUNNO
        if not verdict.allowed and asked.request.instance == self._mail:
            self._is_open = False  # it comes to no end by that
        if verdict.allowed and not verdict.held and not verdict.suppressed_by:
            # Asked at each recipient, a mail is still to be marked once.
            if asked.request.instance and asked.request.instance == self._marked:
                return _DUNNO
            self._marked = asked.request.instance
        return answer(action(verdict, asked.request.stage, self._server.rules))

    def _steer(self) -> None:
        """Hear more only while there is room for it."""
        deaf = self._full or len(self._waiting) >= _PIPELINED
        if deaf is self._deaf or self._transport.is_closing():
            return
        self._deaf = deaf
        if deaf:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


async def _is_answered(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True
