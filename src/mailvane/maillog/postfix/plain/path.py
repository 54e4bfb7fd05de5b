"""The plain path beside the state machine: blocks are cut ahead on a thread of its own, and settled in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from mailvane.maillog.model import ColumnBatch, EventBatch, EventType
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
BLOCK_SIZE = 16 << 20
# Where so few lines of a block are told or passed over, as in a log of content filters, so many blocks are not cut.
LITTLE = 0.3
_NEXT = 7
_AT_ONCE = 2  # blocks: one is cut while another is settled


class PlainPath:
    """Sessions of an engine, and the threads that cut. To be closed."""

    def __init__(
        self, session: Callable[[], Scratch], reasons: Reasons, least: int = LEAST, little: float = LITTLE
    ) -> None:
        self.least = least
        self._little = little
        self.block_size = BLOCK_SIZE
        self._passing = 0  # so many blocks are not worth it
        self._session = session
        self._reasons = reasons
        self._pool = ThreadPoolExecutor(_AT_ONCE - 1, "cut")
        self._blocks: list[Block] = []  # opened when there is something to cut
        self._free: SimpleQueue[Block] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._close()

    def _close(self) -> None:
        for block in self._blocks:
            block.close()
        self._blocks.clear()
        while not self._free.empty():
            self._free.get()

    def rest(self) -> None:
        """What comes now is too little for it: give all back. No block may be in use."""
        if self._blocks:
            self._pool.submit(_nothing).result()
            self._close()

    def restart(self) -> None:
        """Another reading begins: what the one before has begun is forgotten."""
        self._pool.submit(_nothing).result()
        while not self._free.empty():
            self._free.get()
        for block in self._blocks:
            self._free.put(block)

    def begin(self, text: bytes, first: int, stamps: Stamps) -> Future[Block | None]:
        """Cut a block of complete lines, of which the first has this number. The stamps are used up."""
        if self._passing:
            self._passing -= 1
            return self._pool.submit(_no_block)
        if not self._blocks:
            self._blocks = [Block(self._session(), self._reasons) for _ in range(_AT_ONCE)]
            self.restart()
        return self._pool.submit(self._cut, text, first, stamps)

    def _cut(self, text: bytes, first: int, stamps: Stamps) -> Block | None:
        told_apart = len(text) >= self.least and _OF_THE_LAST not in text
        form = form_of_lines(text, stamps) if told_apart else None
        if form is None:
            return None
        block = self._free.get()
        try:
            if block.cut(text, first, form):
                return block
        except BaseException:
            self._free.put(block)
            raise
        self._free.put(block)
        return None

    def note(self, left: int, lines: int) -> None:
        """So many lines of a block were left for the state machine."""
        if left > (1 - self._little) * lines:
            self._passing = _NEXT

    def give_back(self, block: Block) -> None:
        """It is done with."""
        block.clear()
        self._free.put(block)


def _no_block() -> Block | None:
    """All of it is left for the state machine."""
    return None


def _nothing() -> None:
    """All that was submitted before is done."""


class Settled:
    """A block whose plain mails are known: what is left of it, line by line, and its events."""

    def __init__(self, block: Block, lines: Lines, correlation: Correlation, rest: list[tuple[int, int]]) -> None:
        self.block = block
        self._lines = lines
        self._correlation = correlation
        self._rest = rest
        self.left = len(rest)

    def numbered(self, text: list[bytes]) -> Iterator[tuple[int, str]]:
        """The lines that are left. Between them, what the others would have left behind happens."""
        block, learn, first = self.block, self._lines.learn, self.block.first
        prefixes = iter(block.writers)
        name, tag, place = next(prefixes, _NONE)
        for number, clock in self._rest:
            while place < number:
                learn(name, tag)
                name, tag, place = next(prefixes, _NONE)
            if clock > 0:
                self._correlation.pass_time(clock)
            yield number, text[number - first].decode("utf-8", "replace")
        while place < _NONE[2]:
            learn(name, tag)
            name, tag, place = next(prefixes, _NONE)
        self._correlation.pass_time(block.latest)
        self._lines.read(block.last)

    def batch(self, batch: EventBatch, relay: int, source: str) -> tuple[EventBatch, dict[EventType, int]]:
        """All events of the block, of which this batch has those that the state machine told; how many others."""
        block = self.block
        counts = block.tell(Told(relay, source))
        rows, first, last = block.add(batch.events)
        if not rows:
            return batch, counts
        return ColumnBatch(
            token=batch.token, workspace=batch.workspace, retention_days=batch.retention_days, events=block.noted(),
            rows=rows, columns=block.columns(), first=first, last=last,
        ), counts  # fmt: skip


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
