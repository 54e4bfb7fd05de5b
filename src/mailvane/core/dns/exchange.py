"""Questions and answers over UDP, many under way at once. Knows resolvers and time limits, not what is asked for.

One socket for each resolver is shared by all questions, and changed for another port often: whoever would forge an
answer has to guess port, number and question. It is read and written without asyncio's transports, and time limits are
looked after by one timer, as each question would otherwise cost more than the name server spends on it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import islice, repeat, takewhile

import dns.asyncquery
import dns.exception

from mailvane.core.dns.wire import MALFORMED, TRUNCATED, Records, Trouble, as_message, message, read

TRIES = 2  # of each resolver
_AT_A_TIME = 80  # that are on their way within _MOMENT: more would not fit into the buffer of a small name server
_MOMENT = 0.02
_READ_AT_ONCE = 64
_LARGEST = 4096
_QUESTIONS_OF_A_PORT = 8192
_BUFFER = 1 << 20
_LOOKS = 10  # at the time limits, for each limit
_ONCE_MORE = (1, 3)  # so many looks after it was sent: what is lost on its way need not wait for the limit
_SILENCE = Trouble("no answer in time")
_NUMBERS = 4096  # made at once

Resolver = tuple[str, int]
Answer = Sequence[str] | Trouble


class _Batch:
    """Questions of one kind that are awaited together. An answer is a list of records, or why there is none."""

    __slots__ = ("answers", "first", "future", "missing", "questions", "records", "tries")

    def __init__(self, questions: Sequence[bytes], records: Records, first: int, future: asyncio.Future[None]) -> None:
        self.questions = questions
        self.answers: list[Answer] = [_SILENCE] * len(questions)
        self.tries = bytearray(len(questions))
        self.missing = len(questions)
        self.records = records
        self.first = first  # the resolver that is asked first
        self.future = future

    def settle(self, place: int, answer: Answer) -> None:
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(None)


_Asked = tuple[_Batch, int]  # and the place in it


class _Port:
    """A socket that is connected to one resolver, and what waits for answers on it since when, the oldest first."""

    __slots__ = ("left", "number", "pending", "socket")

    def __init__(self, resolver: Resolver, number: int) -> None:
        family = socket.AF_INET6 if ":" in resolver[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self.socket.connect(resolver)
        except OSError:
            self.socket.close()
            raise
        self.number = number  # of the resolver
        self.pending: dict[bytes, tuple[_Batch, int, float]] = {}
        self.left = _QUESTIONS_OF_A_PORT

    def asked_after(self, time: float) -> Iterator[tuple[bytes, tuple[_Batch, int, float]]]:
        return takewhile(lambda item: item[1][2] > time, reversed(self.pending.items()))

    def asked_until(self, time: float) -> Iterator[tuple[bytes, tuple[_Batch, int, float]]]:
        return takewhile(lambda item: item[1][2] <= time, self.pending.items())


class Exchange:
    """Belongs to one event loop. Keeps no socket open while nothing is asked."""

    def __init__(self, resolvers: Sequence[Resolver], at_once: int, timeout: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._resolvers = resolvers
        self._at_once = at_once
        self._timeout = timeout
        self._first = 0  # of the resolvers: one that lately answered when another did not
        self._under_way = 0
        self._lately = 0  # sent within the moment and not answered yet
        self._waiting: deque[_Asked] = deque()
        self._current: dict[int, _Port] = {}
        self._ports: set[_Port] = set()
        self._by_tcp: set[asyncio.Task[None]] = set()
        self._numbers: Iterator[bytes] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        self._filling = False
        self._looked_at = 0.0
        self.answering: set[int] = set()  # resolvers whose answers were taken, until somebody clears it

    async def ask(self, questions: Sequence[bytes], records: Records) -> list[Answer]:
        """Answers in the order of the questions."""
        if not questions:
            return []
        batch = _Batch(questions, records, self._first, self.loop.create_future())
        self._waiting.extend(zip(repeat(batch), range(len(questions))))
        self._fill()
        await batch.future
        return batch.answers

    def ask_another_first(self) -> None:
        self._first = (self._first + 1) % len(self._resolvers)

    def _fill(self) -> None:
        """Send what waits, as far as there is room."""
        now, take, resolvers, sent = self.loop.time(), self._waiting.popleft, len(self._resolvers), 0
        for _ in range(min(len(self._waiting), self._at_once - self._under_way, _AT_A_TIME - self._lately)):
            batch, place = asked = take()
            if batch.future.done():  # nobody waits any more
                continue
            try:
                port = self._port((batch.first + batch.tries[place]) % resolvers)
                key = self._number(port.pending)
                port.socket.send(message(key, batch.questions[place]))
            except BlockingIOError:
                self._waiting.appendleft(asked)
                self._lately = _AT_A_TIME
                break
            except OSError as error:
                self._again(batch, place, Trouble(error.strerror or type(error).__name__))
                continue
            port.pending[key] = (batch, place, now)
            port.left -= 1
            sent += 1
        self._under_way += sent
        self._lately += sent
        if self._waiting and self._under_way < self._at_once and not self._filling:
            self._filling = True
            self.loop.call_later(_MOMENT, self._fill_after_a_moment)
        if self._timer is None and self._under_way:
            self._timer = self.loop.call_later(self._timeout / _LOOKS, self._look)

    def _fill_after_a_moment(self) -> None:
        self._filling = False
        since = self.loop.time() - _MOMENT
        self._lately = sum(1 for port in self._ports for _ in port.asked_after(since))
        self._fill()

    def _port(self, number: int) -> _Port:
        port = self._current.get(number)
        return port if port is not None and port.left else self._open(number)

    def _open(self, number: int) -> _Port:
        port = _Port(self._resolvers[number], number)
        self._current[number] = port
        self._ports.add(port)
        self.loop.add_reader(port.socket, self._receive, port)
        return port

    def _shut_idle(self) -> None:
        """A port that waits for nothing and will not be used for what still waits to be sent."""
        for port in list(self._ports):
            current = self._current.get(port.number) is port
            if port.pending or (current and self._waiting):
                continue
            self.loop.remove_reader(port.socket)
            port.socket.close()
            self._ports.discard(port)
            if current:
                del self._current[port.number]

    def _number(self, taken: Container[bytes]) -> bytes:
        """What nobody can foresee, at the price of one system call for thousands."""
        for number in self._numbers:
            if number not in taken:
                return number
        drawn = os.urandom(2 * _NUMBERS)
        self._numbers = iter([drawn[place : place + 2] for place in range(0, len(drawn), 2)])
        return self._number(taken)

    def _receive(self, port: _Port) -> None:
        receive, pending, settled = port.socket.recv, port.pending, False
        for _ in range(_READ_AT_ONCE):
            try:
                data = receive(_LARGEST)
            except BlockingIOError:
                break
            except OSError:
                continue  # "port unreachable": it may be restarting, the time limit decides
            asked = pending.get(data[:2])
            if asked is None:
                continue
            batch, place, _ = asked
            answer = read(data, batch.questions[place], batch.records)
            if answer is None:
                continue
            del pending[data[:2]]
            self._under_way -= 1
            self._lately -= self._lately > 0
            if isinstance(answer, Trouble):
                self._troubled(batch, place, answer, port.number)
                continue
            if batch.tries[place]:
                self._first = port.number
            batch.settle(place, answer)
            settled = True
        if settled:
            self.answering.add(port.number)
        if self._waiting:
            self._fill()
        self._shut_idle()

    def _troubled(self, batch: _Batch, place: int, trouble: Trouble, number: int) -> None:
        if trouble is not TRUNCATED:
            self._again(batch, place, trouble)
            return
        self._under_way += 1
        task = self.loop.create_task(self._ask_by_tcp(batch, place, number))
        self._by_tcp.add(task)
        task.add_done_callback(self._by_tcp.discard)

    async def _ask_by_tcp(self, batch: _Batch, place: int, number: int) -> None:
        question, resolver = batch.questions[place], self._resolvers[number]
        answer: Answer
        try:
            response = await dns.asyncquery.tcp(as_message(question), resolver[0], self._timeout, resolver[1])
            found = read(response.to_wire(), question, batch.records)
            answer = MALFORMED if found is None else found
        except dns.exception.Timeout:
            answer = _SILENCE
        except (dns.exception.DNSException, OSError, EOFError) as error:
            answer = Trouble(type(error).__name__)
        self._under_way -= 1
        if isinstance(answer, Trouble):
            self._again(batch, place, answer)
        else:
            self.answering.add(number)
            batch.settle(place, answer)
        self._fill()
        self._shut_idle()

    def _again(self, batch: _Batch, place: int, trouble: Trouble) -> None:
        """Ask the next resolver, or give up."""
        batch.tries[place] += 1
        if batch.tries[place] >= TRIES * len(self._resolvers):
            batch.settle(place, trouble)
        else:
            self._waiting.appendleft((batch, place))

    def _look(self) -> None:
        """Whether something was not answered in time, or soon: then it is sent once more, as it may have been lost."""
        now, interval = self.loop.time(), self._timeout / _LOOKS
        for port in list(self._ports):
            for key, (batch, place, _) in list(port.asked_until(now - self._timeout)):
                del port.pending[key]
                self._under_way -= 1
                self._again(batch, place, _SILENCE)
            for looks in _ONCE_MORE:
                self._send_again(port, self._looked_at - looks * interval, now - looks * interval)
        self._looked_at, self._timer = now, None
        self._fill()
        self._shut_idle()

    def _send_again(self, port: _Port, after: float, until: float) -> None:
        late = (item for item in port.asked_until(until) if item[1][2] > after)
        for key, (batch, place, _) in islice(late, _AT_A_TIME):
            with suppress(OSError):
                port.socket.send(message(key, batch.questions[place]))
            self._lately += 1
