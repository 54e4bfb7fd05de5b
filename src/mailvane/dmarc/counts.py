"""What the rows of an aggregate report add up to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_SPF, _DKIM, _SPF_ALIGNMENT, _DKIM_ALIGNMENT = 1, 2, 4, 8
_DMARC = _SPF_ALIGNMENT | _DKIM_ALIGNMENT
_COUNTED = (0, _SPF, _DKIM, _DMARC, _SPF_ALIGNMENT, _DKIM_ALIGNMENT)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one aggregate report, by what became of them."""

    messages: int = 0
    spf_fail: int = 0  # no SPF result is a pass
    dkim_fail: int = 0  # no signature passes
    dmarc_fail: int = 0  # neither is aligned
    spf_alignment_fail: int = 0
    dkim_alignment_fail: int = 0


def alignment_pattern(row: Mapping[str, Any]) -> int:
    """Whether a row's messages are not aligned, as bits. What is not said is no failure."""
    return _SPF_ALIGNMENT * (row["spf_aligned"] is False) | _DKIM_ALIGNMENT * (row["dkim_aligned"] is False)


def result_pattern(row: Mapping[str, Any]) -> int:
    """Whether a row's messages did not pass SPF and DKIM, as bits."""
    return _SPF * (not _passes(row["spf"])) | _DKIM * (not _passes(row["dkim"]))


def _passes(results: Iterable[Mapping[str, str]]) -> bool:
    return any(result["result"] == "pass" for result in results)


def counts_of(messages: Mapping[int, int]) -> Counts:
    """Of numbers of messages by pattern."""
    sums = [0] * 6
    for pattern, number in messages.items():
        for place, failed in enumerate(_COUNTED):
            if pattern & failed == failed:
                sums[place] += number
    return Counts(
        messages=sums[0],
        spf_fail=sums[1],
        dkim_fail=sums[2],
        dmarc_fail=sums[3],
        spf_alignment_fail=sums[4],
        dkim_alignment_fail=sums[5],
    )


def counts_of_rows(rows: Iterable[Mapping[str, Any]]) -> Counts:
    """Of rows as they are kept."""
    messages: dict[int, int] = {}
    for row in rows:
        said = {"spf": (), "dkim": (), "spf_aligned": None, "dkim_aligned": None, **row}
        pattern = alignment_pattern(said) | result_pattern(said)
        messages[pattern] = messages.get(pattern, 0) + int(row.get("count", 0))
    return counts_of(messages)
