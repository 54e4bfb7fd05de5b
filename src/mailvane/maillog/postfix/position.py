"""How far a file was read."""

from __future__ import annotations

from mailvane.maillog.model import SourceCursor
from mailvane.maillog.postfix.files import TAIL, tail_digest
from mailvane.maillog.postfix.lines import LONGEST_LINE
from mailvane.maillog.postfix.plain.path import Settled

_KEPT_OF_A_LONG_LINE = 4 * LONGEST_LINE  # bytes


class Position:
    """How far one file was read."""

    def __init__(self, cursor: SourceCursor, near: int | None = None) -> None:
        self.file = cursor.file
        self.name = cursor.name
        self.offset = cursor.offset
        self.committed = cursor.offset  # behind the newest journal entry
        self.line = cursor.line
        self.understood = cursor.offset > 0  # was any line of the file one of a log?
        self.reference = cursor.reference
        self.near = near  # a time not long before the next line, to tell its year by
        self.mark = b""  # what its source knows the place by, where that is not a file
        self.after = 0  # what comes next was written after this moment
        self.last = b""  # the bytes just before the offset
        self.within_line = False  # was the last line that was taken in one without an end?
        self.unfinished = b""  # the start of a line whose end was not seen
        self.dropped = 0  # bytes of the unfinished line that are not kept
        self.repeatable = False  # was what was taken in last complete lines, and all that there was?
        self.settled: Settled | None = None  # what was taken in last, where plain mails of it are still to be told

    @property
    def proof(self) -> bytes:
        """By which the place is found again."""
        return self.mark or tail_digest(self.last)

    def add(self, text: bytes) -> bytes:
        """The complete lines that there are with this text."""
        self.unfinished += text
        if self.within_line:
            self._pass_over_rest()
        end = self.unfinished.rfind(b"\n") + 1
        if not end:
            excess = len(self.unfinished) - _KEPT_OF_A_LONG_LINE - TAIL
            if excess > 0:
                self.unfinished = self.unfinished[:_KEPT_OF_A_LONG_LINE] + self.unfinished[-TAIL:]
                self.dropped += excess
            return b""
        lines, self.unfinished = self.unfinished[:end], self.unfinished[end:]
        return lines

    def take_dropped(self) -> int:
        """How many bytes were not kept since it was last asked for."""
        taken, self.dropped = self.dropped, 0
        return taken

    def _pass_over_rest(self) -> None:
        """What follows the offset ends a line that was taken for whole; as a rule it is no more than a line break."""
        rest, end, self.unfinished = self.unfinished.partition(b"\n")
        self.last = (self.last + rest + end)[-TAIL:]
        self.dropped += len(rest) + len(end)
        self.within_line = not end
