"""The Postfix log source: files in, journal entries out.

Each entry holds the events of one block of lines, the cursor behind it and what changed of the mails in flight; whoever
takes it commits all three together before asking for the next. Started again with what was committed, the reading goes
on as if it had never stopped, wherever the files were moved and however they were compressed meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.maillog.model import BlockInProgress, EventBatch, JournalEntry, SourceCursor
from mailvane.maillog.postfix.blocks import MOST_LINES, Block, ahead, divided, parted, shares, slices
from mailvane.maillog.postfix.correlation import Correlation
from mailvane.maillog.postfix.files import BLOCK, PIECE, STDIN, TAIL, LogStream, fingerprint, open_log, tail_digest
from mailvane.maillog.postfix.lines import LONGEST_LINE, LONGEST_TEXT, Lines, Tag, shortened
from mailvane.maillog.postfix.plain.block import Block as PlainBlock
from mailvane.maillog.postfix.plain.block import Told
from mailvane.maillog.postfix.plain.path import PlainPath, Settled, settle
from mailvane.maillog.postfix.position import Position
from mailvane.maillog.postfix.repetitions import said_last, say_again, times_of_the_last
from mailvane.maillog.postfix.stamps import EARLIEST, Stamps
from mailvane.maillog.postfix.summary import Summary
from mailvane.maillog.postfix.years import Survey, Written, first_times, rotation_day, survey
from mailvane.maillog.reasons import load_reasons

log = logging.getLogger(__name__)

_REFERENCE_STEP = HOUR_MS
_AHEAD = 366 * DAY_MS  # ours: no clock of a mail server runs further ahead
_FIRST_LINES = 200
_SHOWN = 80  # characters of a line
_CLOCK = "stamps"  # key under which a journal keeps where the stamps stand


class Origin(msgspec.Struct, frozen=True):
    """Whose log it is."""

    workspace: int
    relay: int
    retention_days: int = 0
    zone: str = "UTC"  # of stamps that name none
    since: int = 0  # when the relay was made, in ms: a ledger that was lost numbers relays anew, and tokens stay apart

    @property
    def stream(self) -> str:
        return f"postfix:{self.relay}"


class Step(msgspec.Struct, frozen=True):
    """One block, read. To be committed before the next is asked for."""

    entry: JournalEntry
    name: str
    lines: int
    consumed: int  # bytes on disk, of all files so far
    size: int  # bytes on disk of all files; 0 if not known
    summary: Summary  # of this block


class _Clock(msgspec.Struct, array_like=True, frozen=True):
    """Where the stamps of the file read last stand."""

    file: str
    near: int | None
    repeated: int


class LogReading:
    """Reads the logs of one relay."""

    def __init__(
        self,
        origin: Origin,
        cursors: Iterable[SourceCursor] = (),
        in_flight: Iterable[tuple[str, bytes]] = (),
        blocks: Iterable[BlockInProgress] = (),
    ) -> None:
        self.origin = origin
        self._summary = Summary()
        self.year: int | None = None
        """The year in which a log without years begins; derived from the order of its lines when not known."""
        self.follows = False
        """Whether the files are read on as they grow, so that a last line without an end is waited for."""
        self.cursors = {cursor.file: cursor for cursor in cursors}
        self._zone = ZoneInfo(origin.zone)
        self._correlation = Correlation(origin.relay, load_reasons())
        records = dict(in_flight)
        self._clock = _CLOCKS.decode(records.pop(_CLOCK)) if _CLOCK in records else _Clock("", None, 0)
        self._correlation.restore(records.items())
        self._lines = Lines(Stamps(0, self._zone))
        self._file = ""
        self._last: tuple[int, Tag, str, str] | None = None  # line of this file: time, tag, process, text
        self._before = b""  # the bytes before the text that is taken in
        self._reference = 0
        self._now = 0
        self._begins: dict[str, int] = {}
        self.in_progress = {block.file: block for block in blocks}
        """What was being stored when a process died: to be cut as it was."""
        self.plain: PlainPath | None = None
        """Sessions of an engine by which plain mails are told; without, every line goes through the state machine."""
        self.without_lines: set[str] = set()  # names of what was looked at and is empty

    def read_all(self, names: Iterable[str], now: int) -> Iterator[Step]:
        """Read files, oldest first in any order. A damaged one raises InvalidInput when all else is read."""
        ordered = self.in_order(names, now)
        size = sum(Path(name).stat().st_size for name in ordered if name != STDIN)
        done = 0
        damage: InvalidInput | None = None
        for name in ordered:
            try:
                for step in self.read(name, now):
                    yield msgspec.structs.replace(step, consumed=done + step.consumed, size=size)
            except InvalidInput as error:
                damage = damage or error
            done += Path(name).stat().st_size if name != STDIN else 0
        self._begins = {}
        if damage is not None:
            raise damage

    def in_order(self, names: Iterable[str], now: int, closely: bool = True) -> list[str]:
        """By the first stamp of each file; standard input last. Raises InvalidInput for what cannot be opened.

        Closely: years are told by all that the files say, not only by when they were changed.
        """
        self._now = max(self._now, now)
        names = list(names)
        self._begins = self._survey([name for name in names if name != STDIN]) if closely else {}
        return sorted(names, key=lambda name: (name == STDIN, self._first_time(name) if name != STDIN else 0))

    def _survey(self, names: Iterable[str]) -> dict[str, int]:
        """When each file begins, as its stamps and those of the others tell."""
        files = [Written(name, self._surveyed(name), _reference(name, self._now)) for name in names]
        return self._begun(files)

    def _begun(self, files: list[Written]) -> dict[str, int]:
        begins = first_times(files, self._zone, self.year)
        if self.year is not None:
            for file in files:
                if file.found.days and begins[file.name] > file.reference + DAY_MS:
                    raise InvalidInput(f"{file.name}: in {self.year} this was not written yet")
        return begins

    def _surveyed(self, name: str) -> Survey:
        with open_log(name) as stream:
            return survey(_until_damage(stream), self._stamps(_reference(name, self._now), None))

    def _first_time(self, name: str) -> int:
        """The first stamp in a file; 0 if it has none."""
        with open_log(name) as stream:
            lines = Lines(self._stamps(_reference(name, self._now), self._begins.get(name)))
            first = next(_until_damage(stream), b"")
        for line in first[:BLOCK].decode("utf-8", "replace").split("\n", _FIRST_LINES)[:_FIRST_LINES]:
            found = lines.read(line)
            if found:
                return found[0]
        return 0

    def _stamps(self, reference: int, near: int | None, repeated: int = 0) -> Stamps:
        stamps = Stamps(reference, self._zone, near or None, repeated)
        stamps.horizon = max(reference, self._now) + _AHEAD
        return stamps

    def read(self, name: str, now: int) -> Iterator[Step]:
        """Read what is new in one file."""
        with open_log(name) as stream:
            stream.followed = self.follows
            yield from self.read_stream(stream, now, is_judged=True)

    def read_stream(self, stream: LogStream, now: int, *, is_judged: bool = False) -> Iterator[Step]:
        """Read what is new in a file that is open. Where it is judged, nothing is kept of one without a line of a log.

        Raises InvalidInput behind all that could be read.
        """
        self._now = max(self._now, now)
        position = self.locate(stream, _reference(stream.name, now))
        if position is None:
            return
        position.understood = position.understood or not is_judged
        before = position.line
        blocks = self._blocks(stream, position)
        for block in blocks if self.plain is None or stream.eager else ahead(blocks):
            if block.text:
                self._feed(position, block)
                block = block._replace(text=b"", cleaned=b"")  # noqa: PLW2901  what is large is let go of before its events are told
            if block.damage is None and block.is_last and not position.understood:
                # The file was read to its end, and nothing of it is kept.
                samples = self.take_summary().samples.get("line", [])
                example = f", such as {samples[0].partition(': ')[2][:_SHOWN]!r}" if samples else ""
                raise InvalidInput(f"{stream.shown}: no line of it is one of a mail log{example}")
            if position.understood and position.offset > position.committed:
                entry = self._entry(position)
                yield Step(entry, stream.name, position.line - before, block.consumed, stream.size, self.take_summary())
                before = position.line
            if block.damage is not None:
                raise block.damage

    def _blocks(self, stream: LogStream, position: Position) -> Iterator[Block]:
        """What is new in a file: complete lines, a block at a time; the first as it was cut, if it was begun before."""
        texts: list[bytes] = []
        size, lines, line, dropped, ended = 0, 0, position.line + 1, 0, False
        begun, has_returns = self._begun_before(position), False
        while True:
            damage: InvalidInput | None = None
            try:
                piece = stream.read()
            except InvalidInput as error:
                damage, piece = error, b""
            text = position.add(piece)
            if not piece and damage is None and not ended:
                text = text or self._last_line(stream, position)
            ended = not piece
            if text:
                texts.append(text)
                # Asked of each piece, while it is in the processor's cache.
                lines += text.count(b"\n")
                has_returns = has_returns or b"\r" in text
                dropped += position.take_dropped()
            size += len(piece)
            wanted = size < begun + PIECE if begun else size < self.block_size and lines < MOST_LINES
            if piece and wanted and not stream.eager:
                continue
            is_full = bool(piece) and not stream.eager and not dropped
            whole, rest = divided(texts, begun, quietly=self.plain is not None and is_full)
            texts.clear()  # while the block is read, a copy of it less is in memory
            cleaned = _cleaned(whole) if has_returns else whole
            cutting = self._cut(position, cleaned, line) if whole else None
            left = rest.count(b"\n")
            yield Block(whole, cleaned, lines - left, dropped, stream.consumed, ended and not rest, damage, cutting)
            if ended and not rest:
                return
            texts, size, line, lines = [rest] if rest else [], len(rest), line + lines - left, left
            dropped = begun = 0

    def _begun_before(self, position: Position) -> int:
        """How many bytes were being stored from here on when a process died; 0 if none were."""
        block = self.in_progress.get(position.file)
        return block.end - block.start if block is not None and block.start == position.offset else 0

    def parts(self, position: Position, text: bytes) -> list[bytes]:
        """Complete lines that follow a position, cut as they were if they were begun before; what is too few waits."""
        begun = self._begun_before(position)
        if begun > len(text):
            position.unfinished = text + position.unfinished
            return []
        first, rest = parted(text, begun)
        return [first, *shares(rest)] if begun else list(shares(first))

    @property
    def block_size(self) -> int:
        """Bytes of text that are read at a time."""
        return BLOCK if self.plain is None else min(BLOCK, self.plain.block_size)

    def _cut(self, position: Position, text: bytes, line: int) -> Future[PlainBlock | None] | None:
        if self.plain is None or len(text) < self.plain.least:
            if self.plain is not None:
                self.plain.rest()
            return None
        stamps = self._stamps(position.reference, self._lines.stamps.near or position.near)
        return self.plain.begin(text, line, stamps)

    def _last_line(self, stream: LogStream, position: Position) -> bytes:
        """What stands behind the last line break, if it is a line."""
        if not position.unfinished:
            return b""
        if not stream.ends_with(position.unfinished):
            self._summary.unfinished += 1
            return b""
        line, position.unfinished = position.unfinished, b""
        return line

    def locate(self, stream: LogStream, reference: int) -> Position | None:
        """Where to go on in a file; None if it holds no line yet, or nothing that was not read."""
        first = stream.first_line()
        if first is None:
            self.without_lines.add(stream.name)
            return None
        attempt = 0
        while True:
            file = fingerprint(first, attempt)
            cursor = self.cursors.get(file)
            if cursor is None:
                cursor = SourceCursor(self.origin.stream, file, stream.name, 0, 0, b"", reference)
                return Position(cursor, self._begin(stream, reference))
            tail = stream.skip(cursor.offset)
            if tail is None:
                return None
            if tail_digest(tail) == cursor.tail:
                position = Position(cursor, self._clock.near if self._clock.file == file else None)
                position.name = stream.name
                position.last = tail
                position.within_line = bool(tail) and not tail.endswith(b"\n")
                position.reference = max(cursor.reference, reference)
                return position
            stream.rewind()
            attempt += 1

    def _begin(self, stream: LogStream, reference: int) -> int | None:
        """When a file begins of which nothing was read yet."""
        if stream.name in self._begins:
            return self._begins[stream.name]
        if stream.name != STDIN:
            return self._survey([stream.name])[stream.name]
        # Of a pipe no more is known than what came first.
        found = survey([stream.ahead], self._stamps(reference, None))
        return self._begun([Written(STDIN, found, reference)])[STDIN]

    def take(self, position: Position, text: bytes) -> JournalEntry:
        """Take in complete lines that follow a position, and move it behind them."""
        cleaned = _cleaned(text)
        cutting = self._cut(position, cleaned, position.line + 1)
        self._feed(position, Block(text, cleaned, text.count(b"\n"), position.take_dropped(), cutting=cutting))
        return self._entry(position)

    def take_summary(self) -> Summary:
        """Of what was read since it was last asked for."""
        taken, self._summary = self._summary, Summary()
        return taken

    def _entry(self, position: Position) -> JournalEntry:
        """All that came of what was taken in since the last entry."""
        start, position.committed = position.committed, position.offset
        settled, position.settled = position.settled, None
        events = self._correlation.builder.take()
        self._summary.count(events)
        opened, closed = self._correlation.changes()
        stamps = self._lines.stamps
        clock = _Clock(position.file, stamps.near, stamps.repeated)
        if clock != self._clock:
            self._clock = clock
            opened.append((_CLOCK, msgspec.msgpack.encode(clock)))
        cursor = SourceCursor(
            self.origin.stream,
            position.file,
            position.name,
            position.offset,
            position.line,
            position.proof,
            position.reference,
        )
        self.cursors[position.file] = cursor
        token = f"{self.origin.stream}@{self.origin.since}:{position.file}:{start}-{position.offset}"
        batch = EventBatch(token, self.origin.workspace, self.origin.retention_days, events)
        if settled is not None and self.plain is not None:
            told = Told(self.origin.relay, position.name)
            batch, counts = self.plain.batch(settled, batch, told, at_once=position.repeatable)
            self._summary.events.update(counts)
        begun = self.in_progress.pop(position.file, None)
        return JournalEntry(
            batch=batch,
            cursor=cursor,
            follows=start,
            opened=tuple(opened),
            closed=tuple(closed),
            instead=begun is not None and begun.start == start and begun.end != position.offset,
            repeatable=position.repeatable,
        )

    def _feed(self, position: Position, block: Block) -> None:
        text = block.text
        # Years are guessed anew when the reference has moved; not at every block, for the sake of the cache.
        stamps = self._lines.stamps
        if self._file != position.file or not 0 <= position.reference - self._reference < _REFERENCE_STEP:
            near = stamps.near if self._file == position.file else position.near
            repeated = max(stamps.repeated, self._clock.repeated)
            stamps = self._stamps(position.reference, near, repeated)
            self._lines = Lines(stamps)
            self._last = self._last if self._file == position.file else None
            self._file, self._reference = position.file, position.reference
        stamps.reference, stamps.after = position.reference, position.after
        position.offset += len(text) + block.dropped
        position.repeatable = text.endswith(b"\n") and not block.dropped
        self._before, position.last = position.last, (position.last + text[-TAIL:])[-TAIL:]
        text = block.cleaned
        self._correlation.builder.source = position.name
        cut = block.cutting.result() if block.cutting is not None else None
        if cut is not None and self.plain is not None:
            position.settled = self._settle(position, cut)
            if position.settled is not None:
                self._take_lines(position, position.settled.numbered(text))
                self._last = self._lines.read(cut.last[:LONGEST_LINE])
                count = block.lines + (not text.endswith(b"\n"))
                self.plain.note(position.settled.left, count)
                position.line, position.understood = position.line + count, True
                self._summary.lines += count
                return
        for start, end in slices(text):
            self._take_text(position, text[start:end])

    def _take_text(self, position: Position, text: bytes) -> None:
        lines = text.decode("utf-8", "replace").split("\n")
        if not lines[-1]:
            lines.pop()
        if not position.line and lines:
            lines[0] = lines[0].removeprefix("\ufeff")  # some editors mark UTF-8
        summary = self._summary
        before, missed_before = position.line, summary.not_understood["line"]
        self._take_lines(position, enumerate(lines, before + 1))
        position.line += len(lines)
        if not position.understood:
            missed_lines = summary.not_understood["line"] - missed_before
            position.understood = missed_lines + lines.count("") < len(lines)
        summary.lines += position.line - before

    def _settle(self, position: Position, cut: PlainBlock) -> Settled | None:
        stamps = self._lines.stamps
        copy = self._stamps(position.reference, stamps.near, max(stamps.repeated, self._clock.repeated))
        settled = settle(cut, self._lines, self._correlation, copy)
        if settled is None and self.plain is not None:
            self.plain.give_back(cut)
        return settled

    def _take_lines(self, position: Position, lines: Iterable[tuple[int, str]]) -> None:
        """Every line passes here: what is done for each is done in place."""
        read, feed, builder = self._lines.read, self._correlation.feed, self._correlation.builder
        for number, line in lines:
            is_long = len(line) > LONGEST_TEXT  # a text is no longer than its line
            missed = ""
            try:
                found = read(line[:LONGEST_LINE] if is_long else line)
                if found is None:
                    missed = "line" if line and not self._said_again(line[:LONGEST_LINE], number) else ""
                else:
                    self._last = time, tag, process, text = found
                    if tag.daemon:
                        builder.line = number
                        builder.raw = line[:LONGEST_LINE] if is_long else line
                        if not feed(time, tag, process, shortened(text) if is_long else text):
                            missed = tag.daemon
            except Exception:  # whatever a stranger made Postfix write, the lines after it are read
                log.debug("%s:%d cannot be read", position.name, number, exc_info=True)
                missed = "line"
            if missed:
                self._summary.miss(missed, position.name, number, line)

    def _said_again(self, line: str, number: int) -> bool:
        """Whether it is of the line before it, from the same host; then that is taken in as often as it was said."""
        times = times_of_the_last(line)
        time, host = self._lines.head(line) if times else (None, "")
        if time is None:
            return False
        last = self._last or self._lines.read(said_last(self._before))
        if last is None or last[1].host not in ("", host):
            return False
        _, tag, process, text = last
        builder = self._correlation.builder
        builder.line, builder.raw = number, line
        say = partial(self._correlation.feed, time, tag, process, shortened(text))
        return not tag.daemon or say_again(builder, say, times)


def _cleaned(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n") if b"\r" in text else text


_CLOCKS = msgspec.msgpack.Decoder(_Clock)


def _until_damage(stream: LogStream) -> Iterator[bytes]:
    """What can be read; an archive that is damaged ends there."""
    with suppress(InvalidInput):
        yield from iter(stream.read, b"")


def _reference(name: str, now: int) -> int:
    """A moment at which all lines were written: the file was changed last then, or rotated on the day in its name."""
    if name == STDIN:
        return now
    changed = Path(name).stat().st_mtime_ns // 1_000_000
    reference = changed if changed > EARLIEST else now
    day = rotation_day(name)
    if day is None:
        return reference
    return min(reference, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000 + 2 * DAY_MS)
