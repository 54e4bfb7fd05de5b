"""When a file counts as refused, and what is said of it."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.arrivals import failed_at, is_refused, reasons, refusals
from mailvane.dmarc.intake import Taken
from mailvane.reputation.model import ObservationKind

GOOD = Taken(name="a", kind=ObservationKind.DMARC, remarks=("one record was passed over",))
BAD = Taken(name="b", reason="it is empty")


def test_a_file_is_refused_when_nothing_of_it_was_a_report() -> None:
    assert is_refused([BAD, BAD])
    assert not is_refused([BAD, GOOD])


def test_each_reason_and_remark_has_its_line() -> None:
    assert reasons([GOOD, BAD]) == ["b: it is empty", "a: one record was passed over"]


def test_only_what_was_refused_is_told_of_as_refused() -> None:
    assert refusals([GOOD, BAD]) == ["b: it is empty"]
    assert refusals([GOOD]) == []


def test_what_made_us_fail_is_refused_with_a_short_reason() -> None:
    assert failed_at("a", InvalidInput("too large")) == Taken(name="a", reason="it could not be taken in: too large")
    told = failed_at("a", RecursionError("x" * 1000))
    assert told.kind is None
    assert told.reason.startswith("it could not be taken in: RecursionError: xx")
    assert len(told.reason) < 400
