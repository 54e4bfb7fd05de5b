"""A record says the same whether it is read as text or as an element."""

from __future__ import annotations

from xml.etree.ElementTree import XML

import pytest

from mailvane.dmarc.readers.records import row_of, row_of_text
from mailvane.dmarc.readers.tally import Tally
from tests.unit.dmarc.reports import PASSING, record


@pytest.mark.parametrize(
    "text",
    [
        record(),
        record(count=0),
        record(aligned=("fail", "fail")),
        record(results=f"<spf/><dkim>{PASSING}</dkim><dkim/><other/>"),
        record(results=f"<dkim>{PASSING}</dkim>" * 120),
        record(more="<row><source_ip>192.0.2.2</source_ip></row>"),
        record(more="<row><count>9</count></row>"),
        record(more="<row><policy_evaluated><dkim>fail</dkim></policy_evaluated></row>"),
        record(more="<extension><row><count>9</count></row></extension>"),
        record().replace("</row>", "<source_ip>192.0.2.2</source_ip></row>"),
        record().replace("policy_evaluated", "policy"),
        record("nonsense"),
        record(count="x"),
        "<record></record>",
        "<record/>",
    ],
)
def test_as_text_or_as_an_element_it_says_the_same(text: str) -> None:
    one, other = Tally(), Tally()
    raw = text.strip().encode()
    assert row_of_text(b"..." + raw + b"...", 3, 3 + len(raw), one) == row_of(XML(raw), other)
    assert (one.counts, one.remarks) == (other.counts, other.remarks)


def test_rows_are_not_one_and_the_same() -> None:
    raw = record().strip().encode()
    first, second = (row_of_text(raw, 0, len(raw), Tally()) for _ in range(2))
    assert first == second
    assert first is not second
