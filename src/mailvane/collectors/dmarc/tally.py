"""What the rows of an aggregate report add up to, and what of them was passed over. Knows no XML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailvane.services.report_intake import Counts

_MOST_REMARKS = 10
_SPF, _DKIM, _SPF_ALIGNMENT, _DKIM_ALIGNMENT = 1, 2, 4, 8
_DMARC = _SPF_ALIGNMENT | _DKIM_ALIGNMENT


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
        return Counts(
            messages=sum(self._messages.values()),
            spf_fail=self._failed(_SPF),
            dkim_fail=self._failed(_DKIM),
            dmarc_fail=self._failed(_DMARC),
            spf_alignment_fail=self._failed(_SPF_ALIGNMENT),
            dkim_alignment_fail=self._failed(_DKIM_ALIGNMENT),
        )

    def _failed(self, wanted: int) -> int:
        return sum(messages for pattern, messages in self._messages.items() if pattern & wanted == wanted)
