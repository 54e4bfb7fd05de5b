"""The plain path beside the state machine: blocks are cut ahead on a thread of its own, and settled in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Self

from mailvane.maillog.model import ColumnBatch, EventBatch, EventType, HeldBatch, MailEvent
from mailvane.maillog.postfix.blocks import lines_at
from mailvane.maillog.postfix.correlation import Correlation
from mailvane.maillog.postfix.lines import LONGEST_LINE, Lines, read_tag
from mailvane.maillog.postfix.plain.block import DISORDER, Block, Scratch, Told
from mailvane.maillog.postfix.plain.forms import form_of_lines
from mailvane.maillog.postfix.repetitions import OF_THE_LAST
from mailvane.maillog.postfix.stamps import Stamps
from mailvane.maillog.reasons import Reasons

LEAST = 1 << 20  # bytes of a block that is worth its statements
_OF_THE_LAST = OF_THE_LAST.encode()  # a line that is of the one before it
# Bytes of a block: of larger ones more mails are plain and fewer parts are made, but each is in memory several times.
BLOCK_SIZE = 24 << 20
# Where so few lines of a block are told or passed over, as in a log of content filters, so many blocks are not cut.
LITTLE = 0.3
_NEXT = 7
_PASSING = frozenset({EventType.ACCEPTED, EventType.DELIVERED})
_AT_ONCE = 3  # blocks: one is cut while another is settled and the one before is stored


class PlainPath:
    """Sessions of an engine, and the threads that cut. To be closed."""

    def __init__(
        self,
        session: Callable[[], Scratch],
        reasons: Reasons,
        least: int = LEAST,
        little: float = LITTLE,
        cutting: int = 1,
    ) -> None:
        """`cutting`: how many blocks are cut at once while there is nothing else to do, until the first is told."""
        self._cutting = cutting
        self._has_told = False
        self._one = Lock()
        self.least = least
        self._little = little
        self.block_size = BLOCK_SIZE
        self._passing = 0  # so many blocks are not worth it
        self._session = session
        self._reasons = reasons
        self._pool = ThreadPoolExecutor(self._cutting, "cut")
        self._taking = Lock()
        self._blocks: list[Block] = []  # opened when there is something to cut
        self._free: SimpleQueue[Block] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for block in self._blocks:
            block.close()

    def rest(self) -> None:
        """What comes now is too little for it: give back what is not in use."""
        with self._taking:
            while not self._free.empty():
                block = self._free.get()
                self._blocks.remove(block)
                block.close()

    def restart(self) -> None:
        """Another reading begins: what the one before has begun is forgotten."""
        self._pool.shutdown(cancel_futures=True)
        self._pool = ThreadPoolExecutor(self._cutting, "cut")
        while not self._free.empty():
            self._free.get()
        for block in self._blocks:
            self._free.put(block)

    def begin(self, text: bytes, first: int, stamps: Stamps) -> Future[Block | None]:
        """Cut a block of complete lines, of which the first has this number. The stamps are used up."""
        if self._passing:
            self._passing -= 1
            return self._pool.submit(_no_block)
        return self._pool.submit(self._cut, text, first, stamps)

    def _cut(self, text: bytes, first: int, stamps: Stamps) -> Block | None:
        told_apart = len(text) >= self.least and _OF_THE_LAST not in text
        form = form_of_lines(text, stamps) if told_apart else None
        if form is None:
            return None
        block = self._take()
        try:
            with self._one if self._has_told else nullcontext():
                if block.cut(text, first, form):
                    return block
        except BaseException:
            self._free.put(block)
            raise
        self._free.put(block)
        return None

    def _take(self) -> Block:
        """One that is free: of three, one at most is stored and another settled."""
        with self._taking:
            if self._free.empty() and len(self._blocks) < _AT_ONCE:
                self._blocks.append(Block(self._session(), self._reasons))
                return self._blocks[-1]
            return self._free.get()

    def note(self, left: int, lines: int) -> None:
        """So many lines of a block were left for the state machine."""
        if left > (1 - self._little) * lines:
            self._passing = _NEXT

    def batch(
        self, settled: Settled, batch: EventBatch, told: Told, *, at_once: bool
    ) -> tuple[EventBatch, dict[EventType, int]]:
        """All events of a block, of which this batch has those that the state machine told; how many others.

        At once: it goes into the mail log, not into the journal.
        """
        block, self._has_told = settled.block, True
        counts = block.tell(told)
        noted = block.noted() + [event for event in batch.events if _is_noted(event)]
        rows, first, last = block.add(batch.events)
        if not rows:
            self.give_back(block)
            return batch, counts
        token, workspace, days = batch.token, batch.workspace, batch.retention_days
        if at_once and block.stores:
            return HeldBatch(
                token=token, workspace=workspace, retention_days=days, events=noted, rows=rows, columns=b"",
                first=first, last=last, held=HeldBlock(block, self),
            ), counts  # fmt: skip
        columns = block.columns()
        self.give_back(block)
        return ColumnBatch(
            token=token, workspace=workspace, retention_days=days, events=noted, rows=rows, columns=columns,
            first=first, last=last,
        ), counts  # fmt: skip

    def give_back(self, block: Block) -> None:
        """It is done with."""
        block.clear()
        self._free.put(block)


def _is_noted(event: MailEvent) -> bool:
    """Whether it is of use to others than the mail log."""
    if event.type is EventType.BOUNCED:
        return event.hard
    return event.type in _PASSING and bool(event.in_reply_to or event.references)


def _no_block() -> Block | None:
    """All of it is left for the state machine."""
    return None


class Settled:
    """A block whose plain mails are known: what is left of it, line by line, and its events."""

    def __init__(self, block: Block, lines: Lines, correlation: Correlation, rest: list[tuple[int, int]]) -> None:
        self.block = block
        self._lines = lines
        self._correlation = correlation
        self._rest = rest
        self.left = len(rest)

    def numbered(self, text: bytes) -> Iterator[tuple[int, str]]:
        """The lines that are left of the text. Between them, what the others would have left behind happens."""
        block, learn = self.block, self._lines.learn
        lines = lines_at(text, (number - block.first for number, _ in self._rest))
        prefixes = iter(block.writers)
        name, tag, place = next(prefixes, _NONE)
        for (number, clock), line in zip(self._rest, lines, strict=True):
            while place < number:
                learn(name, tag)
                name, tag, place = next(prefixes, _NONE)
            if clock > 0:
                self._correlation.pass_time(clock)
            yield number, line.decode("utf-8", "replace")
        while place < _NONE[2]:
            learn(name, tag)
            name, tag, place = next(prefixes, _NONE)
        self._correlation.pass_time(block.latest)
        self._lines.read(block.last)


class HeldBlock:
    """The events of a block, where the path has them."""

    def __init__(self, block: Block, path: PlainPath) -> None:
        self._block = block
        self._path = path

    def columns(self) -> bytes:
        return self._block.columns()

    def insert(self, table: str, constants: Mapping[str, int], settings: Mapping[str, str]) -> None:
        self._block.insert(table, constants, settings)

    def release(self) -> None:
        self._path.give_back(self._block)


_NONE = ("", read_tag("", ""), 1 << 62)


def settle(block: Block, lines: Lines, correlation: Correlation, stamps: Stamps) -> Settled | None:
    """What is left of a block for the state machine; None if all of it is. The stamps are used up."""
    if lines.room <= len(block.writers):
        return None
    known = correlation.in_flight()
    if known.proxied or block.earliest < known.clock - DISORDER:
        return None
    form = form_of_lines(block.start, stamps)
    if form is None or any(form.time_of(hour) != time for hour, time in block.hours):
        return None
    odd = Lines(stamps)
    for _, line in block.untimed:
        found = odd.read(line[:LONGEST_LINE])
        if found is not None and not block.earliest - DISORDER <= found[0] <= block.latest + DISORDER:
            return None
    return Settled(block, lines, correlation, block.settle(known))
