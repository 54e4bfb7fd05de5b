"""When a file counts as refused, and what is said of it."""

from __future__ import annotations

from mailvane.collectors.dmarc.arrivals import is_refused, reasons
from mailvane.domain.reputation import ObservationKind
from mailvane.services.report_intake import Taken

GOOD = Taken(name="a", kind=ObservationKind.DMARC, remarks=("one record was passed over",))
BAD = Taken(name="b", reason="it is empty")


def test_a_file_is_refused_when_nothing_of_it_was_a_report() -> None:
    assert is_refused([BAD, BAD])
    assert not is_refused([BAD, GOOD])


def test_each_reason_and_remark_has_its_line() -> None:
    assert reasons([GOOD, BAD]) == ["b: it is empty", "a: one record was passed over"]
