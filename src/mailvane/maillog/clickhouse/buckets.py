"""Rows by stretch of time, and where among them a page lies. No SQL.

Settled weeks are counted by stretch, as `stretch` of `deliveries` has it, once for many questions; others by bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from mailvane.maillog.queries import LogQuestion

STRETCH_BITS = 26  # of the time of acceptance are left out of `stretch`
BUCKET_BITS = 21  # likewise, of a bucket of 35 minutes: a page of them holds few rows that are not on it


class Bucket(NamedTuple):
    """How many rows were accepted from one moment to another."""

    first: int
    last: int
    rows: int


def joined(rows: Iterable[tuple[int, int]], is_fine: bool, known: Iterable[tuple[int, int]]) -> list[Bucket]:
    """Counts by bucket, or by stretch where they are not fine, and those by stretch that were known, as one."""
    stretches, buckets = Counter[int](), Counter[int]()
    for stretch, count in known:
        stretches[stretch] += count
    bits = BUCKET_BITS if is_fine else STRETCH_BITS
    for bucket, count in rows:
        stretch = bucket >> STRETCH_BITS - bits
        if is_fine and stretch not in stretches:
            buckets[bucket] += count
        else:
            stretches[stretch] += count
    sizes = ((STRETCH_BITS, stretches), (BUCKET_BITS, buckets))
    return [Bucket(n << bits, (n + 1 << bits) - 1, count) for bits, found in sizes for n, count in found.items()]


class Span(NamedTuple):
    """A stretch of time that holds a whole page, and how many rows of it come before the page."""

    first: int
    last: int
    skip: int
    ends: bool  # no row that was counted comes after it
    rows: int  # that it holds


def locate(counts: Iterable[Bucket], question: LogQuestion, spare: int = 0) -> Span | None:
    """Where the page and that many rows after it lie, given how many rows each bucket has.

    None when it lies beyond the last row.
    """
    skip, rows, opened = question.skip, 0, None
    ordered = sorted(counts, reverse=not question.ascending)
    for bucket in ordered:
        if opened is None and skip >= bucket.rows:
            skip -= bucket.rows
            continue
        opened = bucket if opened is None else opened
        rows += bucket.rows
        if rows >= skip + question.limit + spare:
            break
    if opened is None:
        return None
    return Span(min(opened.first, bucket.first), max(opened.last, bucket.last), skip, bucket == ordered[-1], rows)


def moments_of_page(found: list[int], question: LogQuestion) -> tuple[list[int], int]:
    """When the rows of a page were accepted, and how many of these moments come before it, given those of all rows."""
    found = sorted(found, reverse=not question.ascending)
    page = found[question.skip : question.skip + question.limit]
    return page, question.skip - found.index(page[0]) if page else 0


def rows_of_page(total: int, question: LogQuestion) -> int:
    """How many there are on it."""
    return min(question.limit, max(0, total - question.skip))
