"""The log gives out by time what was written in any order."""

from __future__ import annotations

from mailvane_demo.world.log import Log


def test_lines_come_out_by_time_and_those_of_one_moment_in_the_order_of_writing() -> None:
    log = Log()
    for at, text in ((5, "late"), (1, "first"), (1, "second"), (0, "early")):
        log.write(at, text)
    assert log.take(10) == [(0, "early"), (1, "first"), (1, "second"), (5, "late")]


def test_a_line_of_the_future_waits_and_comes_out_once() -> None:
    log = Log()
    log.write(5, "now")
    log.write(10, "later")
    assert log.take(10) == [(5, "now")]
    assert log.take(10) == []
    log.write(11, "last")
    assert log.take(20) == [(10, "later"), (11, "last")]
