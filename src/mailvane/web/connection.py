"""One HTTP connection, and the limits on what it may take: time for a head, a body and an answer; bytes; a place.

The parsing and the ASGI side are uvicorn's; this watches them. Who has proven a key is told by whoever proves it,
through `PROVEN` in the state of the request.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, cast

import msgspec
from litestar.types import Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from mailvane.core.connections import ConnectionLimits, Connections, peer_of
from mailvane.web.at_once import begun
from mailvane.web.held_bytes import HeldBytes, HeldLimits

log = logging.getLogger(__name__)


AT_ONCE = 4  # at least, in one turn of the loop
AT_MOST = 24  # each has work to do in the next turn, and turns of a hundred milliseconds are too long for the health
_BEGINNING_SECONDS = 0.004  # of one turn, in which more are begun: most wait after a few tenths of a millisecond


class Starting:
    """Requests that are waiting to be begun, in the order in which they came."""

    def __init__(
        self, at_once: int = AT_ONCE, clock: Callable[[], float] = perf_counter, at_most: int = AT_MOST
    ) -> None:
        """The clock tells seconds."""
        self._at_once = at_once
        self._at_most = at_most
        self._clock = clock
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, start: Callable[[], None]) -> None:
        """Call it soon, in its turn."""
        self._waiting.append(start)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._begin_some)

    def _begin_some(self) -> None:
        until, begun = self._clock() + _BEGINNING_SECONDS, 0
        while self._waiting and begun < self._at_most and (begun < self._at_once or self._clock() < until):
            self._waiting.popleft()()
            begun += 1
        self._is_scheduled = bool(self._waiting)
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._begin_some)


PROVEN = "mailvane_proven"  # in the state of a request: to be called when its key is proven
ENDING = "mailvane_ending"  # likewise: an `asyncio.Event` that is set when the server is told to end
_ABOUT_HEALTH = frozenset({"/healthz", "/readyz"})
_SAID_EVERY = 60.0  # seconds between two lines of the log


class HttpLimits(msgspec.Struct, frozen=True):
    """What clients may take of this server. Seconds and bytes."""

    connections: ConnectionLimits = ConnectionLimits(total=4096, per_peer=2048)
    held: HeldLimits = HeldLimits()
    head_seconds: float = 20.0  # for a request line and its headers, from when the connection opens or they begin
    idle_seconds: float = 75.0  # between two requests
    body_seconds: float = 20.0  # for a body to come in, and a second more for each `slowest_rate` bytes of it
    write_seconds: float = 20.0  # for an answer to be taken, likewise
    discard_seconds: float = 5.0  # for what still comes of a body that was answered already
    slowest_rate: int = 4096  # bytes a second
    head_bytes: int = 64 * 1024
    head_lines: int = 100
    discarded_bytes: int = 256 * 1024
    uncounted_bytes: int = 16 * 1024  # of each connection; less is not counted as held


class HttpState(ServerState):
    """What the connections of one server share."""

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__()
        self.limits = limits
        self.open: Connections[HttpConnection] = Connections(
            limits.connections, HttpConnection.is_idle, HttpConnection.give_up
        )
        self.held: HeldBytes[HttpConnection] = HeldBytes(limits.held, HttpConnection.give_up)
        self.starting = Starting()
        self.ending = asyncio.Event()  # an answer without an end is to end now
        self.slow = 0  # connections ended because they took too long
        self._said = (0, 0, 0)
        self._said_at = float("-inf")

    def look(self, now: float) -> None:
        """End what takes too long. To be called about once a second with the time of the loop."""
        for connection in self.open:
            connection.check(now)
        ended = (self.open.evicted, self.held.evicted, self.slow)
        if ended != self._said and now - self._said_at >= _SAID_EVERY:
            crowd, bytes_, slow = (count - said for count, said in zip(ended, self._said, strict=True))
            log.warning(
                "HTTP connections ended early: %d for being too many, %d for bytes in hand, %d for taking too long; "
                "%d are open",
                crowd, bytes_, slow, len(self.open),
            )  # fmt: skip
            self._said, self._said_at = ended, now


class _Pace(msgspec.Struct):
    """Something that has to move on."""

    began: float
    moved: int = 0

    def is_late(self, now: float, patience: float, rate: int) -> bool:
        return now - self.began > patience + self.moved / rate


class _Out:
    """The transport, with a count of what was written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written = 0
        self.get_write_buffer_size = transport.get_write_buffer_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._transport.is_closing():  # what is written in between is for nobody
            return
        self._written += len(data)
        self._transport.write(data)

    @property
    def taken(self) -> int:
        """Bytes that the system took for the client."""
        return self._written - self.get_write_buffer_size()


class HttpConnection(HttpToolsProtocol):
    """A client's connection, from when it is accepted until it is closed."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._state = cast("HttpState", server_state)
        self._limits = self._state.limits
        self._served_app = self.app
        self._peer = ""
        self._proven = False
        self._messages = 0
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._since = self.loop.time()  # when the present phase began: a head, idleness, discarding
        self._looked = self._since
        self._received = _Pace(self._since)
        self._discarded = 0
        self._sent: _Pace | None = None  # of an answer that is not taken at once
        self._sent_before = 0
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.set_write_buffer_limits(high=self._limits.uncounted_bytes)
        self._out = _Out(transport)
        super().connection_made(cast("asyncio.Transport", self._out))
        self._peer = peer_of(transport.get_extra_info("peername"))
        self._state.open.enter(self, self._peer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._say_gone()
        self._unset_keepalive_if_required()
        self._state.open.leave(self)
        self._state.held.release(self)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        messages = self._messages
        super().data_received(data)
        # Of a chunk in which a head begins, it is not known how much belongs to it.
        if self._in_head and messages == self._messages:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(431)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._count_held()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._count_held()

    def shutdown(self) -> None:
        """The server stops: requests in progress are answered; bodies of unproven clients are not waited for."""
        if self._in_body and not self._proven:
            self.give_up()
        else:
            super().shutdown()

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"] |= {PROVEN: self.prove, ENDING: self._state.ending}
        self._messages += 1
        self._in_head = True
        self._head_bytes = 0
        if self._messages > 1:
            self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._received = _Pace(self.loop.time())
        self._discarded = 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self.app = self._served_app
        if size > self._limits.head_bytes or len(self.headers) > self._limits.head_lines:
            self.app, self.url = _head_too_large, b"/"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._received.moved += len(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > self._limits.discarded_bytes:
                self.transport.close()
        elif self._received.moved > self._limits.uncounted_bytes:
            self._count_held()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # its clock does not see a head that has begun already
        self._since = self.loop.time()
        self._count_held()
        if self._proven:
            self._state.open.prove(self)
        # Whoever was not told to go on may send the body or not: what comes next could not be understood.
        if self._in_body and self.expect_100_continue and not self._received.moved:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        if cycle.scope["path"] in _ABOUT_HEALTH:
            task = begun(cycle.run_asgi(app))
            if task is not None:
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
        else:
            self._state.starting.begin(partial(super()._start_asgi_task, cycle, app))

    # What others say

    def prove(self) -> None:
        """A key was shown that opens something."""
        if self._proven:
            return
        self._proven = True
        self._state.open.prove(self)
        self._count_held()

    def is_idle(self) -> bool:
        """Nothing was begun and not ended."""
        return not self._in_head and not self._in_body and (self.cycle is None or self.cycle.response_complete)

    def give_up(self) -> None:
        """End at once, because there is no room for it."""
        self._refuse(503)

    def check(self, now: float) -> None:
        """End when it takes too long."""
        between, self._looked = now - self._looked, now
        late = self._check_reading(now, between) or self._check_writing(now)
        if late and not self.transport.is_closing():
            self._state.slow += 1
            self._refuse(408)

    def _check_reading(self, now: float, between: float) -> bool:
        limits, waited = self._limits, now - self._since
        if self._in_head or not self._messages:
            return waited > limits.head_seconds
        if self.is_idle():
            return waited > limits.idle_seconds
        if not self._in_body:
            return False
        if self.cycle.response_complete:
            return waited > limits.discard_seconds
        if self.flow.read_paused:  # it is we who make it wait
            self._received.began += between
        return self._received.is_late(now, limits.body_seconds, limits.slowest_rate)

    def _check_writing(self, now: float) -> bool:
        if not self._out.get_write_buffer_size():
            self._sent = None
            return False
        if self._sent is None:
            self._sent, self._sent_before = _Pace(now), self._out.taken
        self._sent.moved = self._out.taken - self._sent_before
        return self._sent.is_late(now, self._limits.write_seconds, self._limits.slowest_rate)

    def _count_held(self) -> None:
        if self.transport.is_closing():
            self._state.held.release(self)
            return
        answered = self.cycle is None or self.cycle.response_complete
        held = self._out.get_write_buffer_size() + (0 if answered else self._received.moved)
        if held > self._limits.uncounted_bytes:
            self._state.held.hold(self, self._peer, self._proven, held)
        else:
            self._state.held.release(self)

    def _refuse(self, status: int) -> None:
        """Answer with the status if no answer was begun, and close; the request's task sees a disconnect."""
        if self.transport.is_closing():
            return
        answering = self._answering
        begun = answering is not None and answering.response_started and not answering.response_complete
        if begun or self.pipeline or self._out.get_write_buffer_size():
            self.transport.abort()
        else:
            if self._in_head or (answering is not None and not answering.response_complete):
                retry = b"retry-after: 5\r\n" if status == 503 else b""
                self.transport.write(STATUS_LINE[status] + retry + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
        self._say_gone()

    def _say_gone(self) -> None:
        """To whoever works on a request: of several that came at once, uvicorn tells the last one only."""
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        self.flow.resume_writing()


async def _head_too_large(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
