"""What the rows of an aggregate report add up to, and what of them was passed over. Knows no XML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailvane.dmarc.intake import Counts

_MOST_REMARKS = 10
_SPF, _DKIM, _SPF_ALIGNMENT, _DKIM_ALIGNMENT = 1, 2, 4, 8
_DMARC = _SPF_ALIGNMENT | _DKIM_ALIGNMENT
_COUNTED = (0, _SPF, _DKIM, _DMARC, _SPF_ALIGNMENT, _DKIM_ALIGNMENT)


def alignment_pattern(row: Mapping[str, Any]) -> int:
    """Whether a row's messages are not aligned, as bits. What is not said is no failure."""
    return _SPF_ALIGNMENT * (row["spf_aligned"] is False) | _DKIM_ALIGNMENT * (row["dkim_aligned"] is False)


def result_pattern(row: Mapping[str, Any]) -> int:
    """Whether a row's messages did not pass SPF and DKIM, as bits."""
    return _SPF * (not _passes(row["spf"])) | _DKIM * (not _passes(row["dkim"]))


def _passes(results: Iterable[Mapping[str, str]]) -> bool:
    return any(result["result"] == "pass" for result in results)


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
        sums = [0] * 6
        for pattern, messages in self._messages.items():
            for place, failed in enumerate(_COUNTED):
                if pattern & failed == failed:
                    sums[place] += messages
        return Counts(
            messages=sums[0],
            spf_fail=sums[1],
            dkim_fail=sums[2],
            dmarc_fail=sums[3],
            spf_alignment_fail=sums[4],
            dkim_alignment_fail=sums[5],
        )
