"""What the rows of an aggregate report add up to, and what of them was passed over. Knows no XML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailvane.services.report_intake import Counts

_MOST_REMARKS = 10


class Tally:
    """Of one report, while it is read."""

    def __init__(self) -> None:
        self.records = 0
        self.rows = 0
        self._sums = {"messages": 0, "spf_fail": 0, "dkim_fail": 0, "dmarc_fail": 0}
        self._sums |= {"spf_alignment_fail": 0, "dkim_alignment_fail": 0}
        self._remarks: dict[str, None] = {}
        self._passed_over = 0

    def count(self, row: Mapping[str, Any]) -> None:
        self.records += 1
        self.rows += 1
        count, sums = row["count"], self._sums
        sums["messages"] += count
        spf_aligned, dkim_aligned = row["spf_aligned"], row["dkim_aligned"]
        if spf_aligned is False:
            sums["spf_alignment_fail"] += count
            if dkim_aligned is False:
                sums["dmarc_fail"] += count
        if dkim_aligned is False:
            sums["dkim_alignment_fail"] += count
        if not _passes(row["spf"]):
            sums["spf_fail"] += count
        if not _passes(row["dkim"]):
            sums["dkim_fail"] += count

    def passed_over(self, why: str) -> None:
        """A record that cannot be counted."""
        self.records += 1
        self._passed_over += 1
        self.remark(f"a record was passed over: {why}")

    def remark(self, text: str) -> None:
        if len(self._remarks) < _MOST_REMARKS:
            self._remarks[text] = None

    @property
    def remarks(self) -> tuple[str, ...]:
        if self._passed_over > 1:
            return (*self._remarks, f"{self._passed_over} records were passed over in all")
        return tuple(self._remarks)

    @property
    def counts(self) -> Counts:
        return Counts(**self._sums)


def _passes(results: list[Mapping[str, str]]) -> bool:
    return any(result["result"] == "pass" for result in results)
