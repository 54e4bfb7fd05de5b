"""Rows come back as they went in, from memory or from a file, as often as is asked."""

from __future__ import annotations

import pytest

from mailvane.dmarc.readers.spool import Spool


@pytest.mark.parametrize("in_memory", [1, 3, 1000])
def test_rows_come_back_in_order_and_more_than_once(in_memory: int) -> None:
    rows = [{"number": number, "text": "Zürich\n☃", "inner": [{"a": None}]} for number in range(10)]
    with Spool(in_memory) as spool:
        for row in rows:
            spool.add(row)
        assert list(spool) == rows
        assert list(spool) == rows


def test_an_empty_spool_has_no_rows() -> None:
    with Spool() as spool:
        assert list(spool) == []
