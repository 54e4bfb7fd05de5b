"""What the rows of an aggregate report add up to, and what of them was passed over. Knows no XML."""

from __future__ import annotations

from mailvane.dmarc.counts import Counts, counts_of

_MOST_REMARKS = 10


class Tally:
    """Of one report, while it is read."""

    def __init__(self) -> None:
        self.rows = 0
        self._messages: dict[int, int] = {}  # by pattern
        self._remarks: dict[str, None] = {}
        self._passed_over = 0

    def count(self, pattern: int, messages: int) -> None:
        self.rows += 1
        self._messages[pattern] = self._messages.get(pattern, 0) + messages

    def passed_over(self, why: str) -> None:
        """A record that cannot be counted."""
        self._passed_over += 1
        self.remark(f"a record was passed over: {why}")

    def remark(self, text: str) -> None:
        if len(self._remarks) < _MOST_REMARKS:
            self._remarks[text] = None

    @property
    def is_empty(self) -> bool:
        return not self.rows and not self._passed_over

    @property
    def remarks(self) -> tuple[str, ...]:
        if self._passed_over > 1:
            return (*self._remarks, f"{self._passed_over:,} records were passed over in all")
        return tuple(self._remarks)

    @property
    def counts(self) -> Counts:
        return counts_of(self._messages)
